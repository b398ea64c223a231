//! ratios
