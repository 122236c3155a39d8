//! libFuzzer drives `psk_id`.
#![no_main]
libfuzzer_sys::fuzz_target!(|input: &[u8]| arboretum_fuzz::run("psk_id", input));
