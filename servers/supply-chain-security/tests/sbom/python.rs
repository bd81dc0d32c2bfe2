//! pip, poetry, uv, PDM and Pipenv.

use crate::site::{Site, components};

#[tokio::test]
async fn requirements_with_includes_hashes_and_open_ranges_are_read() {
    let hash = "a".repeat(64);
    let main = format!("-r base.txt\nFlask==2.0.1 --hash=sha256:{hash}\nopen>=1\n");
    let site = Site::new(&[
        ("requirements.txt", &main),
        ("base.txt", "Six==1.16.0 ; python_version > '3'\n"),
        ("dev-requirements.txt", "pytest==8.0.0\n"),
    ])
    .await;
    let sbom = site.sbom(".").await;
    assert_eq!(
        sbom.components(),
        [
            "pypi/flask@2.0.1 required",
            "pypi/open required !",
            "pypi/pytest@8.0.0 excluded",
            "pypi/six@1.16.0 required"
        ]
    );
    assert_eq!(sbom.find("flask")["hashes"][0]["content"], hash.as_str());
    assert_eq!(sbom.summary()["unresolved"][0], "open (>=1)");
}

const PYPROJECT: &str = "[project]\nname = \"app\"\nversion = \"1.0\"\ndependencies = [\"a>=1\"]\n[dependency-groups]\ndev = [\"t\"]\n";

#[tokio::test]
async fn poetry_uv_and_pdm_give_edges_and_scopes() {
    let poetry = "[[package]]\nname = \"a\"\nversion = \"1.0\"\nfiles = [{file = \"a.whl\", hash = \"sha256:HASH\"}]\n[package.dependencies]\nB_x = \">=1\"\n\n[[package]]\nname = \"b-x\"\nversion = \"2.0\"\n\n[[package]]\nname = \"t\"\nversion = \"3.0\"\n\n[metadata]\nlock-version = \"2.0\"\n";
    let uv = "version = 1\n\n[[package]]\nname = \"a\"\nversion = \"1.0\"\nsource = { registry = \"https://pypi.org/simple\" }\ndependencies = [{ name = \"b-x\" }]\nsdist = { url = \"https://x\", hash = \"sha256:HASH\" }\n\n[[package]]\nname = \"app\"\nversion = \"1.0\"\nsource = { editable = \".\" }\ndependencies = [{ name = \"a\" }]\n[package.dev-dependencies]\ndev = [{ name = \"t\" }]\n\n[[package]]\nname = \"b-x\"\nversion = \"2.0\"\nsource = { registry = \"https://pypi.org/simple\" }\n\n[[package]]\nname = \"t\"\nversion = \"3.0\"\nsource = { registry = \"https://pypi.org/simple\" }\n";
    let pdm = "[metadata]\ngroups = [\"default\", \"dev\"]\n\n[[package]]\nname = \"a\"\nversion = \"1.0\"\ngroups = [\"default\"]\ndependencies = [\"b-x>=1\"]\nfiles = [{file = \"a.whl\", hash = \"sha256:HASH\"}]\n\n[[package]]\nname = \"b-x\"\nversion = \"2.0\"\ngroups = [\"default\"]\n\n[[package]]\nname = \"t\"\nversion = \"3.0\"\ngroups = [\"dev\"]\n";
    for (name, lock) in [("poetry.lock", poetry), ("uv.lock", uv), ("pdm.lock", pdm)] {
        let lock = lock.replace("HASH", &"b".repeat(64));
        let sbom = Site::new(&[(name, &lock), ("pyproject.toml", PYPROJECT)]).await.sbom(".").await;
        assert_eq!(
            sbom.components(),
            ["pypi/a@1.0 required", "pypi/b-x@2.0 required", "pypi/t@3.0 excluded"],
            "{name}"
        );
        assert!(sbom.edges().contains(&"a > b-x".to_owned()), "{name}: {:?}", sbom.edges());
        assert_eq!(sbom.find("a")["hashes"][0]["content"], "b".repeat(64), "{name}");
    }
}

#[tokio::test]
async fn pipenv_and_manifests_alone_are_read() {
    let lock = r#"{"_meta": {}, "default": {"a": {"version": "==1.0", "hashes": []}}, "develop": {"t": {"version": "==3.0"}}}"#;
    let pipfile = "[packages]\na = \"*\"\nb = \"==2.0\"\n[dev-packages]\nt = {version = \"*\"}\n";
    assert_eq!(
        components(&[("Pipfile.lock", lock), ("Pipfile", pipfile)]).await,
        ["pypi/a@1.0 required", "pypi/t@3.0 excluded"]
    );
    assert_eq!(
        components(&[("Pipfile", pipfile)]).await,
        ["pypi/a required !", "pypi/b@2.0 required", "pypi/t excluded !"]
    );
    assert_eq!(
        components(&[("pyproject.toml", PYPROJECT)]).await,
        ["pypi/a required !", "pypi/t excluded !"]
    );
}
