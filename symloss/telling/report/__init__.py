"""The report: a run as one HTML file that needs no network, no scripts to be read, and trusts nothing in the run."""
