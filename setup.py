"""Packaging. Building from a checkout fetches the page's third-party modules by lock file; a wheel contains them."""

import json
import re
import shutil
import subprocess
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

HERE = Path(__file__).parent
STATIC = HERE / "static"
VERSION = re.search(r'__version__ = "([^"]+)"', (HERE / "webshell" / "__init__.py").read_text())[1]

NO_NPM = """
The page's modules (xterm.js) are not here yet, and npm, which fetches them, was not found.
Either install Node.js with npm (Debian: apt install npm) and try again,
or install a built wheel of webshell, which needs neither npm nor network for them.
"""


def vendor_files():
    """The third-party files that the page loads, relative to static/, and their licences."""
    files = json.loads((STATIC / "vendor.json").read_text())
    licences = {str(Path(*Path(name).parts[:3], "LICENSE")) for name in files}
    return [*files, *sorted(name for name in licences if (STATIC / name).is_file())]


class BuildPy(build_py):
    """Fetches the third-party modules when they are missing, before they are packed."""

    def run(self):
        """Fetch, then pack."""
        if not all((STATIC / name).is_file() for name in vendor_files()):
            npm = shutil.which("npm")
            if npm is None:
                raise SystemExit(NO_NPM)
            print("fetching the page's modules with npm ...", flush=True)
            command = [npm, "ci", "--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", str(STATIC)]
            if subprocess.run(command, check=False).returncode:
                raise SystemExit("npm could not fetch the page's modules; its messages above say why")
        # only now is it known what there is to pack
        self.package_data["webshell.static"] = [
            "*.html",
            "*.svg",
            "*.webmanifest",
            "vendor.json",
            "css/*.css",
            "js/*.js",
            *vendor_files(),
        ]
        self.data_files = self._get_data_files()
        super().run()


setup(
    name="webshell",
    version=VERSION,
    description="Terminals and commands of this machine in a browser: sessions that survive, on Twisted and Autobahn",
    long_description=(HERE / "README.rst").read_text(encoding="utf-8"),
    long_description_content_type="text/x-rst",
    license="MIT",
    license_files=["LICENSE"],
    python_requires=">=3.11",
    packages=[
        "twisted.plugins",
        "webshell",
        "webshell.child",
        "webshell.child.library",
        "webshell.child.library.further_link",
        "webshell.cli",
        "webshell.dialects",
        "webshell.execnet",
        "webshell.static",
        "webshell.targets",
        "webshell.web",
        "webshell.web.exec",
        "webshell.web.files",
        "webshell.web.further",
    ],
    package_dir={"webshell.static": "static"},
    package_data={"webshell": ["py.typed"], "twisted": ["plugins/webshell_plugin.py"]},
    install_requires=[
        "Twisted[tls]>=26.4",  # 25.5 fails on TLS with the pyOpenSSL of today, 24.11 lacks parsePOSTFormSubmission
        "autobahn>=26.10.2",
        "cryptography>=50.0",  # as autobahn has it
        "zope.interface>=7.1",
    ],
    entry_points={
        "console_scripts": [
            "webshell = webshell.cli.main:main",
            "webshell-python = webshell.execnet.helper:main",  # needs the extra execnet
        ]
    },
    extras_require={
        "execnet": ["execnet>=2.1.2,<3"],  # 2.1.2 is the one that the tests know
        "keyring": ["keyring>=25"],
        "test": [
            "pytest>=8.3",
            "pytest-timeout>=2.3",
            "pytest-xdist>=3.6",
            "hypothesis>=6.140",
            "coverage>=7.6",
            "execnet>=2.1.2,<3",
            "wsproto>=1.2",
            "playwright>=1.50",
            "docutils>=0.21",
            "pillow>=11",
            "setuptools",  # makes the source distribution that a test installs elsewhere
        ],
    },
    cmdclass={"build_py": BuildPy},
    zip_safe=False,
    classifiers=[
        "Development Status :: 4 - Beta",
        "Environment :: Web Environment",
        "Framework :: Twisted",
        "Programming Language :: Python :: 3",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Topic :: System :: Shells",
        "Topic :: Terminals",
    ],
)
