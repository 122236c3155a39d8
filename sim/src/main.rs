//! The `arboretum` command.

fn main() -> std::process::ExitCode {
    arboretum_sim::command::main()
}
