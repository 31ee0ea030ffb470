"""Shared by all tests: a random stream of their own, a real browser, the built site."""

import signal
from pathlib import Path

import pytest
import torch
from browser import FLAGS, PATIENCE, find_chromium, patient, serve_folder

SITE = Path(__file__).resolve().parents[1] / "_build" / "html"


def pytest_configure():
    """Started in the background, a process is deaf to Ctrl-C, and so is all that it starts.

    Some tests send it.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


# Without a GPU, torch notes the whole stack at each `torch.manual_seed`, for one that may come: a
# millisecond for each of thousands of tests.
seed = torch.manual_seed if torch.cuda.is_available() else torch.default_generator.manual_seed


@pytest.fixture(autouse=True)
def own_random_stream():
    """Each test starts from the same seed, on one thread, and leaves both as they were."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # tiny networks: more threads only cost time
    with torch.random.fork_rng():
        seed(0)
        yield
    torch.set_num_threads(threads)


@pytest.fixture
def double():
    """The chapters that check formulas compute in double precision."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)


@pytest.fixture(scope="module")
def chromium():
    """One Chromium for a file's tests (playwright's `Browser`); each opens its own contexts.

    Not for the whole session: while playwright runs, its event loop would disturb the notebooks
    that the same process may test next.
    """
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        program = find_chromium()
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS, timeout=PATIENCE)
        yield patient(browser)
        browser.close()


@pytest.fixture(scope="module")
def site():
    """The address of the built site, served with gzip."""
    assert (SITE / "index.html").exists(), "the site is not built: run `make book`"
    with serve_folder(SITE) as address:
        yield address


@pytest.fixture
def open_tab(chromium):
    """Opens an address in a window of its own, with the wanted properties; closes it at the end.

    `prepare(tab)` is called before the address is asked for.
    """
    contexts = []

    def open_it(address: str, prepare=lambda tab: None, **properties):
        contexts.append(chromium.new_context(**properties))
        tab = contexts[-1].new_page()
        prepare(tab)
        tab.goto(address)
        return tab

    yield open_it
    for context in contexts:
        context.close()
