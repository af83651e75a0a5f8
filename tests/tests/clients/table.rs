//! The expected abilities of each client.

use std::fmt::Write as _;
use std::path::Path;

use remote_state_tests::Requirement;

/// A release and its abilities.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Client {
    /// Its name on the page.
    title: &'static str,
    /// `terraform-` and the version; `terraform` and `tofu` are those on the `PATH`.
    program: &'static str,
    /// Its minor release.
    pub(crate) age: (u32, u32),
    /// It reads its whole configuration from `TF_HTTP_*`.
    pub(crate) exec: bool,
    /// Its `http` backend distinguishes a held lock from other errors, so that `-lock-timeout`
    /// waits.
    pub(crate) waits: bool,
    /// Its `s3` backend accepts an endpoint.
    pub(crate) s3: bool,
    /// The same for its lock table.
    pub(crate) dynamodb: bool,
    /// It has a backend `oss`.
    pub(crate) oss: bool,
    /// It locks in a Tablestore table as `remote-state` does.
    pub(crate) tablestore: bool,
}

/// The abilities of a current release.
const TODAY: Client = Client {
    title: "",
    program: "",
    age: (1, 0),
    exec: true,
    waits: true,
    s3: true,
    dynamodb: true,
    oss: true,
    tablestore: true,
};
/// The abilities of releases before 1.2.
const BEFORE_1_2: Client = Client { waits: false, ..TODAY };

/// All clients, oldest first.
pub(crate) const CLIENTS: [Client; 13] = [
    Client {
        title: "Terraform 0.11.11",
        program: "terraform-0.11.11",
        age: (0, 11),
        exec: false,
        dynamodb: false,
        oss: false,
        tablestore: false,
        ..BEFORE_1_2
    },
    Client {
        title: "Terraform 0.12.29",
        program: "terraform-0.12.29",
        age: (0, 12),
        exec: false,
        tablestore: false,
        ..BEFORE_1_2
    },
    Client { title: "Terraform 0.13.4", program: "terraform-0.13.4", age: (0, 13), ..BEFORE_1_2 },
    Client { title: "Terraform 0.14.6", program: "terraform-0.14.6", age: (0, 14), ..BEFORE_1_2 },
    Client {
        title: "Terraform 0.15.0-rc2",
        program: "terraform-0.15.0-rc2",
        age: (0, 15),
        ..BEFORE_1_2
    },
    Client { title: "Terraform 1.6.6", program: "terraform-1.6.6", age: (1, 6), ..TODAY },
    Client { title: "Terraform 1.8.4", program: "terraform-1.8.4", age: (1, 8), ..TODAY },
    Client { title: "Terraform 1.10.5", program: "terraform-1.10.5", age: (1, 10), ..TODAY },
    Client { title: "Terraform 1.11 (on `PATH`)", program: "terraform", age: (1, 11), ..TODAY },
    Client { title: "Terraform 1.12.2", program: "terraform-1.12.2", age: (1, 12), ..TODAY },
    Client { title: "Terraform 1.14.9", program: "terraform-1.14.9", age: (1, 14), ..TODAY },
    Client { title: "Terraform 1.15.5", program: "terraform-1.15.5", age: (1, 15), ..TODAY },
    Client { title: "OpenTofu (on `PATH`)", program: "tofu", age: (1, 12), ..TODAY },
];

impl Client {
    /// Returns the requirement of its tests.
    pub(crate) fn requirement(&self) -> Requirement {
        match self.program {
            "terraform" => Requirement::Terraform,
            "tofu" => Requirement::Tofu,
            name => Requirement::Client(name),
        }
    }

    pub(crate) fn name(&self) -> &'static str {
        self.program
    }

    /// Returns the client with a program's name.
    pub(crate) fn named(program: &str) -> &'static Self {
        CLIENTS.iter().find(|client| client.program == program).expect("there is a row for it")
    }

    /// Returns whether it has a resource that needs no plugin.
    pub(crate) fn has_resources(&self) -> bool {
        self.age >= (1, 4)
    }

    /// Returns whether it can lock with an object beside the state.
    pub(crate) fn has_lock_file(&self) -> bool {
        self.age >= (1, 10)
    }

    /// Returns its row of the page.
    fn row(&self) -> String {
        let mark = |can: bool| if can { "yes" } else { "–" };
        let serve = if self.waits { "yes" } else { "yes ¹" };
        let exec = match (self.exec, self.waits) {
            (false, _) => "–",
            (true, false) => "yes ¹",
            (true, true) => "yes",
        };
        let s3 = match (self.s3, self.has_lock_file()) {
            (true, true) => "yes",
            (true, false) => "yes ²",
            (false, _) => "–",
        };
        let oss = match (self.oss, self.tablestore) {
            (true, true) => "yes",
            (true, false) => "yes ³",
            (false, _) => "–",
        };
        format!("| {} | {serve} | {exec} | {s3} | {} | {oss} |", self.title, mark(self.dynamodb))
    }
}

/// The page must say what the tests check.
pub(crate) fn page() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/clients.md");
    let page = std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut table = String::from(
        "| client | `serve` | `exec` | native `s3` | with `dynamodb_table` | native `oss` \
         |\n|---|---|---|---|---|---|\n",
    );
    for client in &CLIENTS {
        writeln!(table, "{}", client.row()).expect("a string takes everything");
    }
    assert!(page.contains(&table), "docs/clients.md should hold this table:\n{table}");
}
