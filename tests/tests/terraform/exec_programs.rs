//! Credentials that expire while `exec` runs a command, from a program that prompts.
//!
//! By then the terminal and standard input belong to the command. A program that reads from them
//! must not stop the server, nor consume the command's input.

use remote_state_tests::{Cmd, Requirement, Running, S3Server, Sandbox, Suite, Terminal};

const CURL: Requirement = Requirement::Command("curl");

pub(crate) fn add(suite: &mut Suite) {
    let setsid = &[CURL, Requirement::Setsid];
    suite.on_emulator("a_program_that_reads_does_not_stop_the_server", setsid, reads);
    suite.on_emulator("a_program_that_opens_the_terminal_stops_alone", setsid, opens_the_terminal);
    suite.on_emulator("a_program_may_ask_before_the_command_runs", setsid, asks_first);
    suite.on_emulator("a_program_does_not_read_what_is_piped_to_the_command", &[CURL], piped);
}

/// Requests the state, which does not exist, from the server.
const REQUEST: &str = "curl -s -o /dev/null -w '%{http_code}\\n' \"$TF_HTTP_ADDRESS\"";

/// A home with a program whose credentials expire before a second use, and flags that name it.
struct Home<'a> {
    sandbox: Sandbox,
    server: &'a S3Server,
}

impl<'a> Home<'a> {
    /// `asks` is what the program runs each time, `asks_again` what it runs once the command has
    /// started.
    fn new(server: &'a S3Server, asks: &str, asks_again: &str) -> Self {
        let sandbox = Sandbox::new();
        let home = sandbox.home();
        let program = home.join("ask.sh");
        let script = format!(
            "code=\n{asks}\nif test -e \"$HOME/begun\"; then\n{asks_again}\nfi\nprintf '[%s]\\n' \
             \"$code\" >> \"$HOME/asked\"\nprintf \
             '{{\"Version\":1,\"AccessKeyId\":\"%s\",\"SecretAccessKey\":\"%s\",' \
             \"$AWS_ACCESS_KEY_ID\" \"$AWS_SECRET_ACCESS_KEY\"\nprintf '\"Expiration\":\"%s\"}}' \
             \"$(date -u -d '+2 seconds' +%Y-%m-%dT%H:%M:%SZ)\"\n"
        );
        std::fs::write(&program, script).expect("the home is ours");
        std::fs::create_dir(home.join(".aws")).expect("the home is ours");
        let profile = format!("[profile ask]\ncredential_process = sh '{}'\n", program.display());
        std::fs::write(home.join(".aws/config"), profile).expect("the home is ours");
        Self { sandbox, server }
    }

    /// Returns `exec` with a script as its command.
    fn exec(&self, inner: &str) -> Cmd {
        let place = self.server.place().with("profile", "ask");
        let ours = self.sandbox.remote_state().server(self.server).args(place.flags());
        ours.args(["exec", "--", "sh", "-c", &format!("touch \"$HOME/begun\"; {inner}")])
    }

    /// The same on a terminal, through a shell with the command line in `"$@"`.
    fn on_a_terminal(&self, outer: &str, inner: &str) -> (Terminal, Running) {
        let shell = self.sandbox.command("sh").server(self.server).args(["-c", outer, "sh"]);
        Terminal::start(shell.words_of(&self.exec(inner)))
    }

    /// Returns the lines that the program has read, each in brackets.
    fn heard(&self) -> String {
        std::fs::read_to_string(self.sandbox.home().join("asked")).expect("the program has run")
    }
}

/// Alone in the foreground, below a script, and with others in the group.
const OUTER: [&str; 3] = ["exec \"$@\"", "\"$@\"; true", "\"$@\" | cat"];

fn reads(server: &S3Server) {
    let home = || Home::new(server, ":", "echo 'Enter MFA code:' >&2; read code");
    let inner = format!(
        "i=0; while test $i -lt 10; do {REQUEST}; i=$((i + 1)); done; echo question; read x \
         </dev/tty; echo \"got $x\"; {REQUEST}"
    );
    for outer in OUTER {
        let home = home();
        let (mut terminal, mut running) = home.on_a_terminal(outer, &inner);
        running.wait_for("question");
        terminal.type_line("yes");
        let output = running.wait().success().says("Enter MFA code:");
        drop(terminal);
        let lines: Vec<_> = output.stdout().lines().collect();
        assert_eq!(lines.iter().filter(|line| **line == "404").count(), 11, "{outer}: {output}");
        assert!(lines.contains(&"got yes"), "{outer}: {output}");
        let heard = home.heard();
        assert!(heard.lines().count() > 11, "{outer}: {heard}");
        assert!(heard.lines().all(|line| line == "[]"), "{outer}: {heard}");
    }
}

fn opens_the_terminal(server: &S3Server) {
    // The first request waits for the program, and gives up. Requests that need no credentials are
    // answered.
    let inner = format!(
        "curl -s -m 1 -o /dev/null \"$TF_HTTP_ADDRESS\"; {} ; echo question; read x </dev/tty; \
         echo \"got $x\"; sleep 100",
        REQUEST.replace("$TF_HTTP_ADDRESS", "${TF_HTTP_ADDRESS%/state/*}/other")
    );
    for outer in OUTER {
        let asks = "echo 'Enter MFA code:' >&2; read code </dev/tty; echo not reached >&2";
        let home = Home::new(server, ":", asks);
        let (mut terminal, mut running) = home.on_a_terminal(outer, &inner);
        running.wait_for("question");
        terminal.type_line("yes");
        running.wait_for("got yes");
        let output = running.kill().says("Enter MFA code:");
        drop(terminal);
        let answer = output.stdout().lines().next().and_then(|line| line.parse::<u16>().ok());
        assert!(answer.is_some_and(|status| status > 0), "{outer}: {output}");
        assert!(!output.stderr().contains("not reached"), "{outer}: {output}");
        assert!(home.heard().lines().all(|line| line == "[]"), "{outer}: {output}");
    }
}

fn asks_first(server: &S3Server) {
    for asks in ["read code", "read code </dev/tty", "read code <&0"] {
        let asks_once = format!("echo 'Enter MFA code:' >&2; {asks}");
        let first = format!("if ! test -e \"$HOME/asked\"; then {asks_once}; fi");
        let home = Home::new(server, &first, ":");
        let inner = format!("echo question; read x; echo \"got $x\"; {REQUEST}");
        let (mut terminal, mut running) = home.on_a_terminal("\"$@\"; true", &inner);
        // Reading from the store takes several requests, each of which may need credentials.
        running.wait_for("Enter MFA code:");
        terminal.type_line("123");
        running.wait_for("question");
        terminal.type_line("yes");
        let output = running.wait().success();
        drop(terminal);
        assert!(output.stdout().contains("got yes\n404"), "{asks}: {output}");
        assert!(home.heard().starts_with("[123]\n"), "{asks}: {}", home.heard());
    }
}

fn piped(server: &S3Server) {
    for (asks, inner) in [
        ("read code", "read x; echo \"got $x\""),
        ("read code", "REQUEST; read x; echo \"got $x\"; REQUEST"),
        ("code=$(cat)", "REQUEST; x=$(cat); echo \"got $x\"; REQUEST"),
    ] {
        let home = Home::new(server, asks, ":");
        let output = home.exec(&inner.replace("REQUEST", REQUEST)).stdin("yes\n").run().success();
        assert!(output.stdout().contains("got yes"), "{asks}: {output}");
        assert!(home.heard().lines().all(|line| line == "[]"), "{asks}: {}", home.heard());
    }
}
