//! libFuzzer drives `leaf_node_source`.
#![no_main]
libfuzzer_sys::fuzz_target!(|input: &[u8]| arboretum_fuzz::run("leaf_node_source", input));
