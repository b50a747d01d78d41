"""A web shell server on Twisted and Autobahn; this module holds the version and nothing else."""

__version__ = "0.1.0"
