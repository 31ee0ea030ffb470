// On a page of the site: the Lab's place says where the script of its workers is.
for (const root of document.querySelectorAll("[data-lab]")) new Lab(root, SETTINGS, root.dataset.work);
