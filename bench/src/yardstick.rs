//! The two small C programs the runtimes are measured with, compiled here and now.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

const FLOOR: &str = include_str!("../floor.c");
const USAGE: &str = include_str!("../usage.c");

/// The compiled programs and how they were made.
pub struct Yardsticks {
    /// Makes the container with the least kernel work.
    pub floor: PathBuf,
    /// Runs a command and writes down what it used.
    pub usage: PathBuf,
    /// The compiler, for the report.
    pub how: &'static str,
}

/// Compiles both into `directory`, with musl where it is installed: its programs start fastest.
pub fn compile(directory: &Path) -> Result<Yardsticks> {
    let headers = kernel_headers();
    let mut musl = vec!["-O2", "-static"];
    headers.iter().for_each(|path| musl.extend(["-idirafter", path]));
    let ways = [("musl-gcc -O2 -static", "musl-gcc", musl), ("cc -O2 -static", "cc", vec!["-O2", "-static"])];
    let mut words = String::new();
    for (how, compiler, options) in ways {
        match compile_both(directory, compiler, &options) {
            Ok((floor, usage)) => return Ok(Yardsticks { floor, usage, how }),
            Err(problem) => words += &format!("\n  {compiler}: {problem:#}"),
        }
    }
    bail!("the floor program cannot be compiled; install musl-tools and linux-libc-dev{words}")
}

fn compile_both(directory: &Path, compiler: &str, options: &[&str]) -> Result<(PathBuf, PathBuf)> {
    let build = |name: &str, source: &str| -> Result<PathBuf> {
        let (file, program) = (directory.join(format!("{name}.c")), directory.join(name));
        fs::write(&file, source).with_context(|| format!("cannot write {}", file.display()))?;
        let output = Command::new(compiler).args(options).arg("-o").arg(&program).arg(&file).output();
        let output = output.with_context(|| format!("cannot start {compiler}"))?;
        if !output.status.success() {
            bail!("{}", String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(program)
    };
    Ok((build("floor", FLOOR)?, build("usage", USAGE)?))
}

/// musl-gcc looks at musl's headers only; the kernel's are added after them.
fn kernel_headers() -> Vec<String> {
    let multiarch = Command::new("cc").arg("-print-multiarch").output().ok();
    let multiarch = multiarch.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    let include = "/usr/include".to_owned();
    match multiarch {
        Some(directory) if !directory.is_empty() => vec![include.clone(), format!("{include}/{directory}")],
        _ => vec![include],
    }
}
