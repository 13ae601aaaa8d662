"""The suites that adapters share. pytest explains their failed asserts as it does in tests."""

from pkgutil import iter_modules

import pytest

pytest.register_assert_rewrite(*(f"{__name__}.{module.name}" for module in iter_modules(__path__)))
