//! Running a foreign tool: within a time, with its output taken as it comes.

use super::sum::{PIECE, Sum, Summer};
use std::io::{self, Read};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// No tool needs as long for any image here; one that does hangs.
const LIMIT: Duration = Duration::from_secs(240);

/// Runs `command` to its end and gives what `take` makes of its output.
///
/// # Errors
/// A sentence, when it cannot be run, fails, or takes too long.
pub(crate) fn run<T: Send>(
    command: &mut Command,
    take: impl FnOnce(ChildStdout) -> io::Result<T> + Send,
) -> Result<T, String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let command = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| format!("{name} cannot be run: {error}"))?;
    let (Some(out), Some(err)) = (child.stdout.take(), child.stderr.take()) else {
        unreachable!("both are piped");
    };
    thread::scope(|scope| {
        let taken = scope.spawn(|| take(out));
        let said = scope.spawn(|| text(err));
        let status = wait(&mut child);
        let said = said.join().map_err(|_| format!("{name}: its errors were not read"))?;
        let status = status.map_err(|error| format!("{name}: {error}"))?;
        if !status.success() {
            return Err(format!("{name}: {status}: {said}"));
        }
        let taken = taken.join().map_err(|_| format!("{name}: its output was not read"))?;
        taken.map_err(|error| format!("{name}: {error}"))
    })
}

/// Runs `command` to its end and gives its output as text.
pub(crate) fn output(command: &mut Command) -> Result<String, String> {
    run(command, io::read_to_string)
}

/// The sum of all that `source` gives.
pub(crate) fn sum_of(mut source: impl Read) -> io::Result<Sum> {
    let mut summer = Summer::default();
    let mut piece = vec![0; PIECE];
    loop {
        match source.read(&mut piece)? {
            0 => return Ok(summer.finish()),
            read => summer.add(&piece[..read]),
        }
    }
}

/// Whether `command` can be run and ends well.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    output(command).is_ok()
}

/// Waits for the child's end, and brings it about after [`LIMIT`].
fn wait(child: &mut Child) -> io::Result<ExitStatus> {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if start.elapsed() > LIMIT {
            child.kill()?;
            child.wait()?;
            return Err(io::Error::other(format!("not done after {LIMIT:?}")));
        }
        thread::sleep(Duration::from_millis(2));
    }
}

/// The beginning of what a tool says, in one line; the rest is read and dropped, so that the tool can go on.
fn text(mut source: impl Read) -> String {
    let mut bytes = Vec::new();
    // What cannot be read of it is not worth a failure of its own.
    let _ = source.by_ref().take(2000).read_to_end(&mut bytes);
    let _ = io::copy(&mut source, &mut io::sink());
    String::from_utf8_lossy(&bytes).split_whitespace().collect::<Vec<_>>().join(" ")
}
