//! The table of `docker compose ps` (both Composes) and `docker ps`, pasted in front of a log.

/// Where the columns of a table begin, in characters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Head {
    name: usize,
    service: Option<usize>,
    status: usize,
    /// How many columns the service is in front of the status.
    service_before_status: Option<usize>,
    ports: Option<usize>,
    /// Compose lists the containers of one project; docker lists all.
    of_project: bool,
    /// Compose 1: titles are centred in their columns, cells are on the left, with at least two blanks between.
    old: bool,
}

/// The state of one container, as printed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    /// Its service, or its name where the table has no services.
    pub(crate) service: String,
    /// `Up 8 seconds`, `Restarting (1) 2 seconds ago`, `Exit 137`, `Created`.
    pub(crate) status: String,
    /// Whether all rows are of one project.
    pub(crate) of_project: bool,
}

fn column(line: &str, title: &str) -> Option<usize> {
    let byte = line.find(title)?;
    Some(line[..byte].chars().count())
}

fn distance(line: &str) -> Option<usize> {
    let titles: Vec<&str> = line.split_whitespace().collect();
    let at = |title: &str| titles.iter().position(|known| *known == title);
    at("STATUS")?.checked_sub(at("SERVICE")?)
}

/// What a status begins with, of Docker's and of a cluster's table.
const STATUSES: [&str; 28] = [
    "Up",
    "Exit",
    "Restarting",
    "Created",
    "Dead",
    "Paused",
    "Removing",
    "running",
    "exited",
    "restarting",
    "created",
    "Running",
    "CrashLoopBackOff",
    "Error",
    "OOMKilled",
    "Completed",
    "Pending",
    "ImagePullBackOff",
    "ErrImagePull",
    "CreateContainer",
    "RunContainerError",
    "StartError",
    "InvalidImageName",
    "ContainerStatusUnknown",
    "ContainerCreating",
    "Terminating",
    "Evicted",
    "Init:",
];

fn is_status(cell: &str) -> bool {
    STATUSES.iter().any(|word| cell.starts_with(word))
}

impl Head {
    /// The head of a table, if the line is one.
    pub(crate) fn read(line: &str) -> Option<Self> {
        let modern = line.contains("STATUS") && (line.starts_with("NAME") || line.starts_with("CONTAINER ID"));
        let old = line.trim_start().starts_with("Name ") && line.contains(" State") && line.contains("Command");
        if modern {
            let name = if line.starts_with("NAME") { Some(0) } else { column(line, "NAMES") };
            return Some(Self {
                name: name?,
                service: column(line, "SERVICE"),
                status: column(line, "STATUS")?,
                service_before_status: distance(line),
                ports: column(line, "PORTS").filter(|_| !line.starts_with("CONTAINER")),
                of_project: line.starts_with("NAME"),
                old: false,
            });
        }
        old.then_some(Self { of_project: true, old: true, ..Self::default() })
    }

    /// One row, `None` for a rule, a wrapped row or what is not a row.
    pub(crate) fn row(&self, line: &str) -> Option<Row> {
        let cell = |from: usize, to: Option<usize>| -> String {
            let cell: String =
                line.chars().skip(from).take(to.map_or(usize::MAX, |to| to.saturating_sub(from))).collect();
            // Cells are separated by at least two blanks; titles and cells begin in the same column.
            cell.split("   ").next().unwrap_or_default().trim().to_owned()
        };
        // The last column is never empty.
        let last = self.name > 0;
        let name = if last { line.split_whitespace().next_back() } else { line.split_whitespace().next() };
        let name = name.filter(|_| last || !line.starts_with(' '))?;
        if name.starts_with("---") {
            return None;
        }
        let status = if self.old {
            line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).nth(2)?.to_owned()
        } else {
            cell(self.status, self.ports)
        };
        if !is_status(&status) {
            return self.shifted(line);
        }
        // A pod that no node takes for minutes.
        let age = line.split_whitespace().next_back().filter(|age| status == "Pending" && !age.ends_with('s'));
        let status = age.map_or(status.clone(), |age| format!("Pending for {age}"));
        let service =
            self.service.map(|at| cell(at, None)).and_then(|s| s.split_whitespace().next().map(str::to_owned));
        let service = service.unwrap_or_else(|| super::kind::service(name).to_owned());
        Some(Row { service, status, of_project: self.of_project })
    }

    /// A row whose cells are not under their titles: a person shortened one of them. The columns in front of the status
    /// are never empty.
    fn shifted(&self, line: &str) -> Option<Row> {
        let cells: Vec<&str> = line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect();
        let at = cells.iter().position(|cell| is_status(cell)).filter(|at| *at > 0)?;
        if cells[0].contains([':', ' ']) {
            return None;
        }
        let name = if self.name == 0 { cells.first() } else { cells.last() };
        let service = self.service_before_status.and_then(|before| cells.get(at.checked_sub(before)?));
        let name = super::kind::service(name?.split_whitespace().next()?);
        let service = service.copied().unwrap_or(name);
        Some(Row { service: service.to_owned(), status: cells[at].to_owned(), of_project: self.of_project })
    }
}

impl Row {
    /// Whether the engine starts it over and over.
    pub(crate) fn is_restarting(&self) -> bool {
        self.status.to_ascii_lowercase().starts_with("restarting") || self.status.contains("CrashLoopBackOff")
    }

    /// Whether it was made and never started.
    pub(crate) fn is_created(&self) -> bool {
        self.status.to_ascii_lowercase().starts_with("created")
    }

    pub(crate) fn is_up(&self) -> bool {
        ["Up", "running", "Running"].iter().any(|word| self.status.starts_with(word))
    }

    /// Whether a cluster does not get its image.
    pub(crate) fn lacks_image(&self) -> bool {
        self.status.contains("ImagePull") || self.status.contains("InvalidImageName")
    }

    /// Whether a cluster cannot make its container, or took it off its node.
    pub(crate) fn lacks_something(&self) -> bool {
        let states =
            ["CreateContainerConfigError", "CreateContainerError", "RunContainerError", "StartError", "Evicted"];
        self.status.starts_with("Pending for ") || states.iter().any(|state| self.status.contains(state))
    }

    /// Whether its health check fails.
    pub(crate) fn is_unhealthy(&self) -> bool {
        self.status.contains("(unhealthy)")
    }

    /// The code it ended with, where the table says it: `Exited (1) …`, `Exit 1`, `Restarting (1) …`.
    pub(crate) fn exit_code(&self) -> Option<i32> {
        match self.status.as_str() {
            "OOMKilled" => return Some(137),
            "Error" => return Some(1),
            _ => {}
        }
        let (_, rest) = self.status.split_once(['(', ' '])?;
        let rest = rest.trim_start_matches('(');
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let ended = !self.is_up() && !self.is_created();
        rest[..digits].parse().ok().filter(|_| ended)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(table: &str) -> Vec<(String, String)> {
        let mut lines = table.lines();
        let head = Head::read(lines.next().unwrap()).unwrap();
        lines.filter_map(|line| head.row(line)).map(|row| (row.service, row.status)).collect()
    }

    fn pair(service: &str, status: &str) -> (String, String) {
        (service.into(), status.into())
    }

    #[test]
    fn compose_2_with_multi_byte_cells() {
        let table = "NAME                       IMAGE                             COMMAND                  SERVICE       CREATED         STATUS                          PORTS\n\
                     mcp-tunnel-cloudflared-1   cloudflare/cloudflared:2026.3.0   \"cloudflared --no-au…\"   cloudflared   9 seconds ago   Restarting (255) 1 second ago   \n\
                     mcp-tunnel-hello-mcp-1     python:3.13-slim-mcp1             \"sh -c 'pip install …\"   hello-mcp     9 seconds ago   Up 8 seconds                    9000/tcp\n";
        assert_eq!(
            rows(table),
            [pair("cloudflared", "Restarting (255) 1 second ago"), pair("hello-mcp", "Up 8 seconds")]
        );
    }

    #[test]
    fn compose_1_and_docker_ps() {
        let old = "        Name                      Command                 State      Ports\n--------------------------------------------------------------------------\ntunnel_cloudflared_1   cloudflared --no-autoupdat ...   Restarting        \ntunnel_mcp-proxy_1     /mcp-proxy                       Exit 128          \n";
        assert_eq!(rows(old), [pair("tunnel_cloudflared", "Restarting"), pair("tunnel_mcp-proxy", "Exit 128")]);
        let docker = "CONTAINER ID   IMAGE     COMMAND        CREATED         STATUS         PORTS     NAMES\n6d1f3a0c9b1e   proxy     \"/mcp-proxy\"   2 minutes ago   Up 2 minutes             mcp-proxy-1\n";
        assert_eq!(rows(docker), [pair("mcp-proxy", "Up 2 minutes")]);
    }

    #[test]
    fn a_shortened_cell_and_a_cluster() {
        let table = "NAME                       IMAGE       COMMAND     SERVICE       CREATED       STATUS                      PORTS\n\
                     mcp-tunnel-cloudflared-1   cloudflare/cloudflared  \"cloudflared\"  cloudflared   2 hours ago   Up 2 hours\n\
                     INFO:     x   Exit 1\n";
        assert_eq!(rows(table), [pair("cloudflared", "Up 2 hours")]);
        let pods = "NAME                READY   STATUS             RESTARTS      AGE\n\
                    wiki-6f7c9-x2k4q    0/1     CrashLoopBackOff   5 (30s ago)   3m\n\
                    mcp-proxy-7d-x2k    1/1     Running            0             3m\n";
        assert_eq!(rows(pods), [pair("wiki-6f7c9-x2k4q", "CrashLoopBackOff"), pair("mcp-proxy-7d-x2k", "Running")]);
    }

    #[test]
    fn exit_codes() {
        let code = |status: &str| Row { service: "x".into(), status: status.into(), of_project: true }.exit_code();
        assert_eq!(code("Restarting (255) 1 second ago"), Some(255));
        assert_eq!(code("Exited (0) 3 seconds ago"), Some(0));
        assert_eq!(code("Exit 137"), Some(137));
        assert_eq!((code("OOMKilled"), code("Error"), code("Running")), (Some(137), Some(1), None));
        assert_eq!(code("Up 8 seconds"), None);
        assert_eq!(code("Created"), None);
    }
}
