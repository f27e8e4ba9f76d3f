"""pfamnet: protein domains, proposed by a network and placed by profile HMMs."""

__version__ = "0.1.0"
