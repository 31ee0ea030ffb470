"""Which browser the tests take: one that starts, and of those one without windows."""

import os
from pathlib import Path

import browser
import pytest


@pytest.fixture
def programs(tmp_path, monkeypatch):
    """Puts programs on an otherwise empty PATH: name -> whether it starts."""
    monkeypatch.setenv("PATH", str(tmp_path))

    def put(**starts: bool) -> Path:
        for name, works in starts.items():
            program = tmp_path / name.replace("_", "-")
            program.write_text(f"#!/bin/sh\nexit {0 if works else 1}\n", encoding="utf-8")
            program.chmod(0o755)
        return tmp_path

    return put


def test_one_without_windows_comes_first(programs):
    place = programs(chromium=True, google_chrome=True, chromium_headless_shell=True)
    assert browser.on_the_path() == str(place / "chromium-headless-shell")


def test_one_that_does_not_start_is_passed_over(programs):
    place = programs(chromium_headless_shell=False, chromium=False, google_chrome=True)
    assert browser.on_the_path() == str(place / "google-chrome")


def test_none_is_found_where_there_is_none(programs):
    programs(firefox=True)
    assert browser.on_the_path() is None


@pytest.mark.parametrize("shell", [True, False])
def test_debians_package_without_windows_is_tried_first(programs, monkeypatch, shell):
    """(An older Debian, or Ubuntu, has none.)"""
    place = programs(apt_get=True)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    asked = []

    def run(command, **_):
        if "install" in command:
            asked.append(command[-1])
            if shell or command[-1] == "chromium":
                programs(**{command[-1].replace("-", "_"): True})

    monkeypatch.setattr(browser, "runs", lambda path: bool(path) and Path(path).exists())
    monkeypatch.setattr(browser.subprocess, "run", run)
    wanted = "chromium-headless-shell" if shell else "chromium"
    assert browser.from_debian() == str(place / wanted)
    assert asked == ["chromium-headless-shell", "chromium"][: 1 if shell else 2]


def test_who_is_not_root_installs_nothing(programs, monkeypatch):
    programs(apt_get=True)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert browser.from_debian() is None


@pytest.mark.parametrize("through", ["browser", "context"])
def test_each_page_is_as_patient_and_as_slow_as_it_is_told(monkeypatch, through):
    """What is asked of the browser: how slow that makes it depends on the machine."""
    monkeypatch.setattr(browser, "SLOWED", 3.0)
    asked = []

    class Context:
        def __init__(self):
            self.set_default_timeout = asked.append

        def new_page(self):
            return Page(self)

        def new_cdp_session(self, page):
            return self

        def send(self, name, given):
            asked.append((name, given))

    class Page(Context):
        def __init__(self, context):
            super().__init__()
            self.context = context

    class Browser:
        def new_context(self):
            return Context()

        def new_page(self):
            return Page(Context())

    made = browser.patient(Browser())
    (made if through == "browser" else made.new_context()).new_page()
    slowed = ("Emulation.setCPUThrottlingRate", {"rate": 3.0})
    assert asked == [browser.PATIENCE] * (1 if through == "browser" else 2) + [slowed]
