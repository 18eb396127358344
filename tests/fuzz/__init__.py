"""Files from strangers by the hundred thousand: every kind of file that symloss reads, damaged and hostile."""
