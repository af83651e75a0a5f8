//! The benchmarks, and the bar of each.

use crate::Result;
use crate::bench::measure::{Line, Output};
use crate::bench::places::{LARGE, Places, SMALL};

const MIB: u64 = 1 << 20;

/// One thing that several programs do.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) rounds: usize,
    /// The project's command first, then the one that the bar compares it with, then others.
    pub(crate) contenders: Vec<Contender>,
    pub(crate) bar: Bar,
    /// The maximum peak memory of the project's command.
    pub(crate) peak_bytes: Option<u64>,
}

#[derive(Debug)]
pub(crate) struct Contender {
    pub(crate) name: &'static str,
    pub(crate) line: Line,
    pub(crate) before: Before,
    /// The maximum number of runs, for slow programs.
    pub(crate) at_most: Option<usize>,
}

/// The preparation of each run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Before {
    Nothing,
    /// Gives the large state a serial that follows the stored one.
    NextSerial,
}

/// How the first contender must compare with the second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Bar {
    /// Its time is at most this multiple of the other's.
    AtMost(f64),
    /// It is at least this many times as fast.
    TimesFaster(f64),
    /// Its time is at most this, regardless of others.
    Seconds(f64),
}

impl Contender {
    fn new(name: &'static str, line: Line) -> Self {
        Self { name, line, before: Before::Nothing, at_most: None }
    }

    fn with_next_serial(mut self) -> Self {
        self.before = Before::NextSerial;
        self
    }

    fn at_most(mut self, rounds: usize) -> Self {
        self.at_most = Some(rounds);
        self
    }
}

/// Returns all rows.
pub(crate) fn all(places: &Places) -> Result<Vec<Row>> {
    let mut rows = vec![start(places)];
    rows.extend(outputs(places)?);
    rows.extend(pulls(places)?);
    rows.extend(pushes(places)?);
    Ok(rows)
}

fn start(places: &Places) -> Row {
    let binary = places.binary().as_os_str().to_owned();
    Row {
        name: "--version",
        rounds: 40,
        contenders: vec![Contender::new("remote-state", Line::new([binary, "--version".into()]))],
        bar: Bar::Seconds(0.005),
        peak_bytes: None,
    }
}

fn outputs(places: &Places) -> Result<Vec<Row>> {
    let minio = places.minio();
    let output = |key: &str| places.remote_state(minio, key, &["output", "--raw", "o"]);
    let terraform = |key: &str| {
        let line = places.terraform_on(minio, key, &["output", "-no-color", "-raw", "o"])?;
        Ok::<_, crate::Error>(line.map(|line| Contender::new("terraform", line).at_most(3)))
    };
    let mut small = vec![
        Contender::new("remote-state", output(SMALL)),
        Contender::new("curl", places.curl_get(minio, SMALL, "/dev/null")),
    ];
    small.extend(terraform(SMALL)?);
    let mut large = vec![
        Contender::new("remote-state", output(LARGE)),
        Contender::new("remote-state, 1 KB", output(SMALL)),
    ];
    large.extend(terraform(LARGE)?.map(|contender| contender.at_most(1)));
    let verified = vec![
        Contender::new("remote-state", places.with_table(output("verified"))),
        Contender::new("curl", places.curl_get(minio, LARGE, "/dev/null")),
    ];
    let row = |name, rounds, contenders, bar, peak| Row {
        name,
        rounds,
        contenders,
        bar,
        peak_bytes: Some(peak),
    };
    Ok(vec![
        row("output, 1 KB", 40, small, Bar::AtMost(1.0), 16 * MIB),
        row("output, 100 MB", 40, large, Bar::AtMost(1.2), 16 * MIB),
        row("output, 100 MB, with a digest table", 9, verified, Bar::AtMost(1.1), 24 * MIB),
    ])
}

fn pulls(places: &Places) -> Result<Vec<Row>> {
    let (minio, slow) = (places.minio(), places.slow());
    let to_file = ["pull", "-q", "-o", "pulled"];
    let mut files = vec![
        Contender::new("remote-state", places.remote_state(minio, LARGE, &to_file)),
        Contender::new("curl", places.curl_get(minio, LARGE, "pulled-by-curl")),
    ];
    let copy = places.aws_copy(minio, "s3://tfstate/large", "pulled-by-aws");
    files.extend(copy.map(|line| Contender::new("aws s3 cp", line).at_most(3)));
    let pull = places.terraform_on(minio, LARGE, &["state", "pull"])?;
    let to_answer = |line: Line| line.with_output(Output::File);
    let mut answers = vec![
        Contender::new(
            "remote-state",
            to_answer(places.remote_state(minio, LARGE, &["pull", "-q"])),
        ),
        Contender::new("curl", to_answer(places.curl_get(minio, LARGE, "-"))),
    ];
    answers.extend(pull.map(|line| Contender::new("terraform", to_answer(line)).at_most(1)));
    let verified = vec![
        Contender::new(
            "remote-state",
            places.with_table(places.remote_state(minio, "verified", &to_file)),
        ),
        Contender::new("curl", places.curl_get(minio, LARGE, "pulled-by-curl")),
    ];
    let mut far = vec![
        Contender::new("remote-state", places.remote_state(slow, LARGE, &to_file)),
        Contender::new("curl", places.curl_get(slow, LARGE, "pulled-by-curl")),
    ];
    let copy = places.aws_copy(slow, "s3://tfstate/large", "pulled-by-aws");
    far.extend(copy.map(|line| Contender::new("aws s3 cp", line).at_most(2)));
    let row = |name, rounds, contenders, bar| Row {
        name,
        rounds,
        contenders,
        bar,
        peak_bytes: Some(24 * MIB),
    };
    Ok(vec![
        row("pull, 100 MB, to a file", 9, files, Bar::AtMost(1.0)),
        row("pull, 100 MB, to standard output", 9, answers, Bar::AtMost(1.0)),
        row("pull, 100 MB, with a digest table", 9, verified, Bar::AtMost(1.0)),
        row("pull, 100 MB, slow link", 3, far, Bar::TimesFaster(4.0)),
    ])
}

fn pushes(places: &Places) -> Result<Vec<Row>> {
    let (minio, slow) = (places.minio(), places.slow());
    let push = |place, key: &str| places.remote_state(place, key, &["push", LARGE, "-q"]);
    let mut near = vec![
        Contender::new("remote-state", push(minio, "pushed")).with_next_serial(),
        Contender::new("curl", places.curl_put(minio, "put", LARGE)),
    ];
    let copy = places.aws_copy(minio, LARGE, "s3://tfstate/copied");
    near.extend(copy.map(|line| Contender::new("aws s3 cp", line).at_most(3)));
    let state = places.folder().join(LARGE).display().to_string();
    let terraform = places.terraform_on(minio, "terraform", &["state", "push", &state])?;
    near.extend(
        terraform.map(|line| Contender::new("terraform", line).with_next_serial().at_most(1)),
    );
    let verified = vec![
        Contender::new("remote-state", places.with_table(push(minio, "pushed-with-digest")))
            .with_next_serial(),
        Contender::new("curl", places.curl_put(minio, "put", LARGE)),
    ];
    let mut far = vec![
        Contender::new("remote-state", push(slow, "pushed")).with_next_serial(),
        Contender::new("curl", places.curl_put(slow, "put", LARGE)),
    ];
    let copy = places.aws_copy(slow, LARGE, "s3://tfstate/copied");
    far.extend(copy.map(|line| Contender::new("aws s3 cp", line).at_most(2)));
    let row = |name, rounds, contenders, bar| Row {
        name,
        rounds,
        contenders,
        bar,
        peak_bytes: Some(48 * MIB),
    };
    Ok(vec![
        row("push, 100 MB", 9, near, Bar::AtMost(1.2)),
        row("push, 100 MB, with a digest table", 9, verified, Bar::AtMost(1.2)),
        row("push, 100 MB, slow link", 3, far, Bar::TimesFaster(3.0)),
    ])
}
