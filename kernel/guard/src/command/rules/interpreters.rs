//! Interpreters: a script file beneath a root, or a known module. No code on the command line or from
//! standard input: nobody could read it afterwards in the project.

use super::{Program, Verdict};
use crate::{Refusal, command::call::Call};

/// The family.
pub(super) const PROGRAMS: &[Program] = &[
    Program::own("node", "interpreter", |call| NODE.judge(call)),
    Program::own("perl", "interpreter", |call| PERL.judge(call)),
    Program::own("python", "interpreter", |call| PYTHON.judge(call)),
    Program::own("python3", "interpreter", |call| PYTHON.judge(call)),
    Program::own("ruby", "interpreter", |call| RUBY.judge(call)),
];

struct Interpreter {
    /// Print something and end.
    informs: &'static [&'static str],
    /// Options without value that may precede the script.
    options: &'static [&'static str],
    /// Modules for `-m`.
    modules: &'static [&'static str],
}

const PYTHON: Interpreter = Interpreter {
    informs: &["--version", "-V", "-VV"],
    options: &["-B", "-E", "-I", "-O", "-OO", "-P", "-s", "-S", "-u", "-v", "-q", "-Werror", "-Wignore"],
    modules: &[
        "black",
        "build",
        "compileall",
        "coverage",
        "flake8",
        "isort",
        "json.tool",
        "mypy",
        "py_compile",
        "pylint",
        "pytest",
        "ruff",
        "tabnanny",
        "tokenize",
        "unittest",
        "venv",
    ],
};
const NODE: Interpreter = Interpreter {
    informs: &["--version", "-v"],
    options: &[
        "--check",
        "-c",
        "--test",
        "--enable-source-maps",
        "--no-warnings",
        "--trace-warnings",
        "--throw-deprecation",
    ],
    modules: &[],
};
const PERL: Interpreter =
    Interpreter { informs: &["--version", "-v"], options: &["-c", "-w", "-W", "-T", "-t"], modules: &[] };
const RUBY: Interpreter =
    Interpreter { informs: &["--version", "-v"], options: &["-c", "-w", "-W"], modules: &[] };

impl Interpreter {
    fn judge(&self, call: &mut Call<'_>) -> Result<Verdict, Refusal> {
        let args = call.args.clone();
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            if self.informs.contains(&arg.as_str()) {
                return Ok(Verdict::Fine);
            }
            if arg == "-m" && !self.modules.is_empty() {
                let module = args.next().map(String::as_str).unwrap_or_default();
                if !self.modules.contains(&module) {
                    return Err(call.refuse(
                        module,
                        "this module is not allowed",
                        &format!("use one of {}", self.modules.join(", ")),
                    ));
                }
                return rest(call, module, args);
            }
            if self.options.contains(&arg.as_str()) {
                continue;
            }
            if arg.starts_with('-') {
                return Err(call.refuse(
                    arg,
                    "code and options on the command line are not judged",
                    "write a script beneath a root and run the file",
                ));
            }
            call.read(arg)?;
            return rest(call, "", args);
        }
        Err(call.refuse(
            "",
            "it would read code from its input",
            "write a script beneath a root and run the file",
        ))
    }
}

/// What a script or a module gets. Of the modules, two write what an operand names.
fn rest<'a>(
    call: &mut Call<'_>,
    module: &str,
    args: impl Iterator<Item = &'a String>,
) -> Result<Verdict, Refusal> {
    let mut operands = 0;
    for arg in args {
        call.loose(arg)?;
        operands += usize::from(!arg.starts_with('-'));
        let is_written = match module {
            "venv" => operands > 0,
            // `json.tool input output`.
            "json.tool" => operands > 1,
            _ => false,
        };
        if is_written && !arg.starts_with('-') {
            call.write(arg)?;
        }
    }
    Ok(Verdict::Fine)
}
