// Some compilers make no archive from nothing.
