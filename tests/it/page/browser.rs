//! A browser, driven by the WebDriver protocol: Chromium by its own driver, with a profile of its own that is
//! gone with it. The few commands that the stories need are a few lines of JSON each.

use std::io::{BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::{Value, json};
use tempfile::TempDir;

const DRIVER: &str = "chromedriver";
const BROWSERS: [&str; 3] = ["chromium", "google-chrome", "chrome"];
/// How long something is looked for before it counts as not there.
const PATIENCE_MS: u32 = 10_000;
/// The name under which an element's id comes.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// A browser with one window.
pub(super) struct Browser {
    driver: Child,
    http: reqwest::Client,
    /// The address of the driver's session.
    session: String,
    _profile: TempDir,
}

/// How the page is looked at.
#[derive(Debug, Clone, Copy)]
pub(super) struct View {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) dark: bool,
}

fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut found = std::env::split_paths(&path).map(|folder| folder.join(name));
    found.find(|program| program.is_file())
}

/// Driver and browser. `None` where they are not installed, which is said loudly, and is a failure in CI.
fn programs() -> Option<(PathBuf, PathBuf)> {
    let found = on_path(DRIVER).zip(BROWSERS.iter().find_map(|name| on_path(name)));
    if found.is_none() {
        let missing = format!(
            "{DRIVER} and a browser ({}) are not on the path: install the Debian packages `chromium` and \
             `chromium-driver`",
            BROWSERS.join(", ")
        );
        let in_ci = std::env::var_os("CI").is_some_and(|value| value == "true");
        assert!(!in_ci, "{missing}");
        eprintln!("\n*** NOT TESTED: the page in a browser.\n*** {missing}.\n");
    }
    found
}

impl Browser {
    /// Starts one. Scripts may run or not.
    pub(super) async fn start(scripts: bool) -> Option<Self> {
        let (driver, browser) = programs()?;
        let profile = tempfile::tempdir().unwrap();
        // A group of its own, so that the browser can be ended with its driver.
        let mut driver = Command::new(driver)
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .unwrap();
        let mut said = BufReader::new(driver.stdout.take().unwrap()).lines();
        let port = said.find_map(|line| {
            let line = line.unwrap();
            let (_, port) = line.split_once("was started successfully on port ")?;
            Some(port.trim_end_matches('.').to_owned())
        });
        let mut started = Self {
            driver,
            http: crate::rig::client(),
            session: format!(
                "http://127.0.0.1:{}/session",
                port.expect("the driver says its port")
            ),
            _profile: profile,
        };
        let folder = started._profile.path().display();
        let scripts = if scripts { 1 } else { 2 };
        let options = json!({
            "binary": browser,
            "args": [
                "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                "--no-first-run", "--disable-background-networking", "--hide-scrollbars",
                format!("--user-data-dir={folder}"),
            ],
            "prefs": {"profile.managed_default_content_settings.javascript": scripts},
        });
        let wanted = json!({"capabilities": {"alwaysMatch": {"goog:chromeOptions": options}}});
        let session = started.post("", &wanted).await;
        let id = session["sessionId"].as_str().unwrap();
        started.session = format!("{}/{id}", started.session);
        // What is looked for may stand on a page that is still coming.
        started
            .post("/timeouts", &json!({"implicit": PATIENCE_MS}))
            .await;
        Some(started)
    }

    async fn post(&self, command: &str, body: &Value) -> Value {
        let request = self.http.post(format!("{}{command}", self.session));
        value(command, request.json(body)).await
    }

    async fn get(&self, command: &str) -> Value {
        value(command, self.http.get(format!("{}{command}", self.session))).await
    }

    /// Goes to an address, and waits until it is there.
    pub(super) async fn open(&self, url: &str) {
        self.post("/url", &json!({"url": url})).await;
    }

    pub(super) async fn title(&self) -> String {
        self.get("/title").await.as_str().unwrap().to_owned()
    }

    /// Waits until something is there: what was clicked may still be on its way.
    pub(super) async fn wait_for(&self, css: &str) {
        self.find(css).await;
    }

    /// The path that is shown, with its query.
    pub(super) async fn place(&self) -> String {
        let url: url::Url = self.get("/url").await.as_str().unwrap().parse().unwrap();
        url[url::Position::BeforePath..].to_owned()
    }

    /// Waits until a message of this role says so: the page before may have one of its own.
    pub(super) async fn is_told(&self, role: &str, words: &str) {
        let message = format!("//*[@role='{role}'][contains(normalize-space(.), '{words}')]");
        self.find_by("xpath", &message).await;
    }

    async fn find(&self, css: &str) -> String {
        self.find_by("css selector", css).await
    }

    async fn find_by(&self, strategy: &str, value: &str) -> String {
        let wanted = json!({"using": strategy, "value": value});
        let found = self.post("/element", &wanted).await;
        found[ELEMENT].as_str().unwrap().to_owned()
    }

    /// Presses something. What comes next waits for the page it leads to.
    pub(super) async fn click(&self, css: &str) {
        let element = self.find(css).await;
        self.post(&format!("/element/{element}/click"), &json!({}))
            .await;
    }

    pub(super) async fn type_into(&self, css: &str, text: &str) {
        let element = self.find(css).await;
        self.post(&format!("/element/{element}/value"), &json!({"text": text}))
            .await;
    }

    /// The text that a person sees.
    pub(super) async fn text(&self, css: &str) -> String {
        let element = self.find(css).await;
        let text = self.get(&format!("/element/{element}/text")).await;
        text.as_str().unwrap().to_owned()
    }

    /// How wide the page is in all.
    pub(super) async fn width(&self) -> i64 {
        let page = self.find("html").await;
        let width = self
            .get(&format!("/element/{page}/property/scrollWidth"))
            .await;
        width.as_i64().unwrap()
    }

    async fn tell(&self, command: &str, params: &Value) -> Value {
        let body = json!({"cmd": command, "params": params});
        self.post("/goog/cdp/execute", &body).await
    }

    /// From now on the page is looked at so.
    pub(super) async fn look(&self, view: View) {
        let size = json!({
            "width": view.width, "height": view.height, "deviceScaleFactor": 1, "mobile": false
        });
        self.tell("Emulation.setDeviceMetricsOverride", &size).await;
        let scheme = if view.dark { "dark" } else { "light" };
        let media = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.tell("Emulation.setEmulatedMedia", &media).await;
    }

    /// A picture (PNG) of the whole page.
    pub(super) async fn picture(&self) -> Vec<u8> {
        let params = json!({"captureBeyondViewport": true});
        let taken = self.tell("Page.captureScreenshot", &params).await;
        STANDARD.decode(taken["data"].as_str().unwrap()).unwrap()
    }

    /// Ends the browser in order.
    pub(super) async fn quit(self) {
        let request = self.http.delete(&self.session);
        value("quit", request).await;
    }
}

async fn value(command: &str, request: reqwest::RequestBuilder) -> Value {
    let answer: Value = request.send().await.unwrap().json().await.unwrap();
    let value = &answer["value"];
    assert!(value.get("error").is_none(), "{command}: {value}");
    value.clone()
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Also after a story that failed: nothing of it is left running.
        if let Some(group) = Pid::from_raw(i32::try_from(self.driver.id()).unwrap_or(0)) {
            let _ = kill_process_group(group, Signal::KILL);
        }
        let _ = self.driver.wait();
    }
}
