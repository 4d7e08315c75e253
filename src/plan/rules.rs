//! Which rules every plan keeps.
