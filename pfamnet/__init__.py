"""pfamnet: protein domains, proposed by a network and placed by profile HMMs."""

__version__ = "1.0.0"
