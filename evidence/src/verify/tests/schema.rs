//! (schema test)
