"""What several tests of the site share."""

import pytest
import small_site as small


@pytest.fixture(scope="session")
def small_site(tmp_path_factory):
    """(Sphinx's application, the folder of a small site, the warnings of its build.)"""
    return small.build(tmp_path_factory.mktemp("small"))
