//! Faults of the store that take more than one process or more than one file system.
