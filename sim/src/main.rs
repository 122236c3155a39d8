//! The `arboretum` command.

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    // Whoever reads no further, as `head` does, ends the command and makes it no error.
    sigpipe::reset();
    arboretum_sim::command::main()
}
