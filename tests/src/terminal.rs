//! A terminal for commands that need one.

use std::fs::File;
use std::io::Write as _;
use std::process::{Command, Stdio};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use crate::command::Cmd;
use crate::process::Running;
use crate::requirement::Requirement;

/// The keyboard's end of a terminal.
#[derive(Debug)]
pub struct Terminal {
    keyboard: File,
}

impl Terminal {
    /// Starts a command on a terminal of its own, which is its standard input. The output is
    /// collected as usual.
    ///
    /// # Panics
    /// If there is no terminal; the test should require [`Requirement::Setsid`].
    #[track_caller]
    pub fn start(cmd: Cmd) -> (Self, Running) {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let keyboard = openpt(flags).expect("the system has a terminal left");
        grantpt(&keyboard).expect("it is ours");
        unlockpt(&keyboard).expect("it is ours");
        let name = ptsname(&keyboard, Vec::new()).expect("it has a name");
        let name = name.into_string().expect("the name is text");
        let screen = File::options().read(true).write(true).open(name).expect("it can be opened");
        let mut command =
            Command::new(Requirement::Setsid.program().expect("the test requires `setsid`"));
        command
            .arg("--ctty")
            .arg(cmd.command.get_program())
            .args(cmd.command.get_args())
            .env_clear();
        for (name, value) in cmd.command.get_envs() {
            if let Some(value) = value {
                command.env(name, value);
            }
        }
        if let Some(folder) = cmd.command.get_current_dir() {
            command.current_dir(folder);
        }
        command.stdin(Stdio::from(screen));
        // `setsid` becomes the leader of a session, and so of a group, and then the command.
        let (running, _) = Running::spawn(command, cmd.timeout);
        (Self { keyboard: File::from(keyboard) }, running)
    }

    /// Types a line.
    ///
    /// # Panics
    /// If the terminal is closed.
    pub fn type_line(&mut self, line: &str) {
        self.keyboard.write_all(format!("{line}\n").as_bytes()).expect("the terminal is there");
    }

    /// Presses Ctrl-C: the terminal signals every process in its foreground group.
    ///
    /// # Panics
    /// If the terminal is closed.
    pub fn press_ctrl_c(&mut self) {
        self.keyboard.write_all(b"\x03").expect("the terminal is there");
    }
}
