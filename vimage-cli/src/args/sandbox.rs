//! The words of the sandbox, which every command has.

use clap::{Args, ValueEnum};

/// What the process may still do.
#[derive(Args)]
pub(crate) struct SandboxArgs {
    /// Have the system keep vimage to what the command needs: auto, on or off [default: auto]
    ///
    /// Linux does, by Landlock. Then vimage reads only the files that are named and, where an image may name others, what lies in
    /// their folders; it makes files only in the folders of its outputs and in that for temporary files, where something has to be
    /// unpacked; it runs no program and reaches no network. With auto it is confined as far as the system can, and --allow-external
    /// lets it read everything; -v tells. With on, which --sandbox alone means too, it is an error where files cannot be confined
    /// (before Linux 6.2), and what --allow-external opens has to lie in those folders, too.
    #[arg(
        long, global = true, value_name = "WHEN", num_args = 0..=1, require_equals = true, default_value = "auto",
        default_missing_value = "on", hide_default_value = true, hide_possible_values = true
    )]
    pub(crate) sandbox: SandboxArg,
    /// Tell on standard error what the sandbox lets vimage do
    #[arg(short, long, global = true)]
    pub(crate) verbose: bool,
}

/// When the process is confined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SandboxArg {
    /// As far as the system can.
    Auto,
    /// Always: else it is an error.
    On,
    /// Never.
    Off,
}
