"""The Flow Lab: the course's flows, trained in the page. See README.md."""
