//! Go, Cargo, Maven, Gradle, NuGet, Composer and RubyGems.

use serde_json::json;

use crate::site::{Site, components};

#[tokio::test]
async fn go_modules_follow_replacements_and_old_files_take_the_sum() {
    let module = "module example.com/app\n\ngo 1.21\n\nrequire (\n\tgithub.com/a/b v1.2.3\n\tgithub.com/c/d v0.0.0-20200101000000-abcdefabcdef // indirect\n\tgithub.com/old/x v1.0.0\n)\n\nreplace github.com/old/x => github.com/new/x v2.0.0\n";
    let sum = "github.com/a/b v1.2.3 h1:x=\ngithub.com/z/z v1.0.0 h1:x=\n";
    let sbom = Site::new(&[("go.mod", module), ("go.sum", sum)]).await.sbom(".").await;
    assert_eq!(
        sbom.components(),
        [
            "golang/github.com/a/b@v1.2.3 required",
            "golang/github.com/c/d@v0.0.0-20200101000000-abcdefabcdef required",
            "golang/github.com/new/x@v2.0.0 required",
        ]
    );
    assert_eq!(sbom.edges(), ["app > b d x"]);
    let old = "module example.com/app\n\ngo 1.13\n\nrequire github.com/a/b v1.2.3\n";
    let sum = "github.com/a/b v1.2.3 h1:x=\ngithub.com/e/f v1.9.0 h1:x=\ngithub.com/e/f v1.10.0 h1:x=\ngithub.com/g/h v1.0.0/go.mod h1:x=\n";
    assert_eq!(
        components(&[("go.mod", old), ("go.sum", sum)]).await,
        ["golang/github.com/a/b@v1.2.3 required", "golang/github.com/e/f@v1.10.0 required"]
    );
}

#[tokio::test]
async fn cargo_tells_development_tools_and_two_versions_of_one_crate() {
    let lock = format!(
        "version = 4\n\n[[package]]\nname = \"app\"\nversion = \"0.1.0\"\ndependencies = [\"a\", \"t\", \"b 2.0.0\"]\n\n[[package]]\nname = \"a\"\nversion = \"1.0.0\"\nsource = \"registry+https://github.com/rust-lang/crates.io-index\"\nchecksum = \"{}\"\ndependencies = [\"b 1.0.0\"]\n\n[[package]]\nname = \"b\"\nversion = \"1.0.0\"\nsource = \"registry+https://github.com/rust-lang/crates.io-index\"\n\n[[package]]\nname = \"b\"\nversion = \"2.0.0\"\nsource = \"git+https://h.example/b?rev=1#0123456789012345678901234567890123456789\"\n\n[[package]]\nname = \"t\"\nversion = \"3.0.0\"\nsource = \"registry+https://github.com/rust-lang/crates.io-index\"\n",
        "c".repeat(64)
    );
    let manifest = "[package]\nname = \"app\"\nversion = \"0.1.0\"\n[dependencies]\na = \"1\"\nb = \"2\"\n[dev-dependencies]\nt = \"3\"\n";
    let sbom = Site::new(&[("Cargo.lock", &lock), ("Cargo.toml", manifest)]).await.sbom(".").await;
    let lines = sbom.components();
    assert_eq!(lines[0], "cargo/a@1.0.0 required");
    assert_eq!(lines[1], "cargo/b@1.0.0 required");
    assert!(lines[2].starts_with("cargo/b@2.0.0?vcs_url="));
    assert_eq!(lines[3], "cargo/t@3.0.0 excluded");
    assert_eq!(sbom.edges(), ["a > b", "app > a b", "workspace > app t"]);
    assert_eq!(
        components(&[("Cargo.toml", manifest)]).await,
        ["cargo/a required !", "cargo/b required !", "cargo/t excluded !"]
    );
}

#[tokio::test]
async fn maven_takes_versions_from_parents_and_properties() {
    let parent = "<project><groupId>g</groupId><artifactId>p</artifactId><version>1</version><licenses><license><name>Apache License, Version 2.0</name></license></licenses><properties><v>2.5</v></properties><dependencyManagement><dependencies><dependency><groupId>x</groupId><artifactId>y</artifactId><version>${v}</version></dependency></dependencies></dependencyManagement></project>";
    let child = "<project><parent><groupId>g</groupId><artifactId>p</artifactId><version>1</version></parent><artifactId>c</artifactId><dependencies><dependency><groupId>x</groupId><artifactId>y</artifactId></dependency><dependency><groupId>junit</groupId><artifactId>junit</artifactId><version>4.13</version><scope>test</scope></dependency></dependencies></project>";
    assert_eq!(
        components(&[("pom.xml", parent), ("child/pom.xml", child)]).await,
        ["maven/junit/junit@4.13 excluded", "maven/x/y@2.5 required"]
    );
}

#[tokio::test]
async fn gradle_lock_files_and_catalogues_are_read() {
    let lock = "# This is a Gradle generated file\ncom.x:y:1.0=compileClasspath,runtimeClasspath\norg.t:t:2.0=testCompileClasspath\nempty=annotationProcessor\n";
    let catalogue = "[versions]\nk = \"1.9\"\n[libraries]\na = { module = \"com.a:a\", version.ref = \"k\" }\nb = \"com.b:b:2.0\"\nc = { group = \"com.c\", name = \"c\" }\n[plugins]\np = { id = \"org.p\", version = \"3\" }\n";
    assert_eq!(
        components(&[("gradle.lockfile", lock), ("build.gradle", "x")]).await,
        ["maven/com.x/y@1.0 required", "maven/org.t/t@2.0 excluded"]
    );
    assert_eq!(
        components(&[("gradle/libs.versions.toml", catalogue)]).await,
        [
            "maven/com.a/a@1.9 required",
            "maven/com.b/b@2.0 required",
            "maven/com.c/c required !",
            "maven/org.p/org.p.gradle.plugin@3 excluded"
        ]
    );
    let script =
        Site::new(&[("build.gradle", "dependencies { implementation 'a:b:1' }")]).await.sbom(".").await;
    assert_eq!(
        (&script.summary()["is_complete"], &script.summary()["coverage"]["skipped"][0]["reason"]),
        (&json!(false), &json!("unsupported"))
    );
}

#[tokio::test]
async fn nuget_is_read_from_lock_files_projects_and_configs() {
    let lock = r#"{"version": 1, "dependencies": {"net8.0": {"A": {"type": "Direct", "resolved": "1.0.0", "dependencies": {"B": "1.0.0"}}, "B": {"type": "Transitive", "resolved": "1.0.1"}}}}"#;
    let sbom = Site::new(&[("app/packages.lock.json", lock), ("app/app.csproj", "<Project/>")])
        .await
        .sbom(".")
        .await;
    assert_eq!(sbom.components(), ["nuget/a@1.0.0 required", "nuget/b@1.0.1 required"]);
    assert_eq!(sbom.edges(), ["a > b", "app > a"]);
    let project = "<Project Sdk=\"x\"><ItemGroup><PackageReference Include=\"A\" Version=\"1.0.0\"/><PackageReference Include=\"B\"><Version>2.0.0</Version></PackageReference><PackageReference Include=\"C\"/><PackageReference Include=\"D\" Version=\"3.*\" PrivateAssets=\"all\"/></ItemGroup></Project>";
    let central =
        "<Project><ItemGroup><PackageVersion Include=\"C\" Version=\"4.0.0\"/></ItemGroup></Project>";
    assert_eq!(
        components(&[("app/app.csproj", project), ("Directory.Packages.props", central)]).await,
        ["nuget/a@1.0.0 required", "nuget/b@2.0.0 required", "nuget/c@4.0.0 required", "nuget/d excluded !"]
    );
    let config = "<packages><package id=\"A\" version=\"1.0\" /><package id=\"T\" version=\"2.0\" developmentDependency=\"true\" /></packages>";
    assert_eq!(
        components(&[("packages.config", config)]).await,
        ["nuget/a@1.0 required", "nuget/t@2.0 excluded"]
    );
}

#[tokio::test]
async fn composer_gives_licences_edges_and_what_is_abandoned() {
    let lock = r#"{"packages": [{"name": "V/a", "version": "v1.0.0", "require": {"php": ">=8", "v/b": "^1"}, "license": ["MIT", "GPL-2.0-only"], "dist": {"shasum": "0123456789012345678901234567890123456789"}}, {"name": "v/b", "version": "1.1.0", "abandoned": "v/c"}], "packages-dev": [{"name": "v/t", "version": "2.0.0"}]}"#;
    let manifest =
        r#"{"name": "v/app", "require": {"php": ">=8", "v/a": "^1"}, "require-dev": {"v/t": "*"}}"#;
    let sbom = Site::new(&[("composer.lock", lock), ("composer.json", manifest)]).await.sbom(".").await;
    assert_eq!(
        sbom.components(),
        ["composer/v/a@v1.0.0 required", "composer/v/b@1.1.0 required", "composer/v/t@2.0.0 excluded"]
    );
    assert_eq!(sbom.edges(), ["a > b", "app > a t"]);
    assert_eq!(sbom.find("a")["licenses"][0]["expression"], "MIT OR GPL-2.0-only");
    assert_eq!(
        components(&[("composer.json", manifest)]).await,
        ["composer/v/a required !", "composer/v/t excluded !"]
    );
}

#[tokio::test]
async fn gems_are_read_with_their_sources() {
    let lock = "GIT\n  remote: https://h.example/g.git\n  revision: 0123456789012345678901234567890123456789\n  specs:\n    g (0.1.0)\n\nGEM\n  remote: https://rubygems.org/\n  specs:\n    a (1.0.0)\n      b (~> 1.0)\n    b (1.2.0-x86_64-linux)\n    t (3.0.0)\n\nPLATFORMS\n  ruby\n\nDEPENDENCIES\n  a (~> 1.0)\n  g!\n  t\n\nCHECKSUMS\n  a (1.0.0) sha256=HASH\n\nBUNDLED WITH\n   2.5.0\n".replace("HASH", &"d".repeat(64));
    let gemfile = "source 'https://rubygems.org'\ngem 'a', '~> 1.0'\ngem 'g', git: 'https://h.example/g.git'\ngroup :test do\n  gem 't'\nend\n";
    let sbom = Site::new(&[("Gemfile.lock", &lock), ("Gemfile", gemfile)]).await.sbom(".").await;
    let lines = sbom.components();
    assert_eq!(
        (lines[0].as_str(), lines[1].as_str(), lines[3].as_str()),
        ("gem/a@1.0.0 required", "gem/b@1.2.0 required", "gem/t@3.0.0 excluded")
    );
    assert!(lines[2].starts_with("gem/g@0.1.0?vcs_url="));
    assert_eq!(sbom.edges(), ["a > b", "root > a g t"]);
    assert_eq!(sbom.find("a")["hashes"][0]["content"], "d".repeat(64));
    assert_eq!(
        components(&[("Gemfile", gemfile)]).await,
        ["gem/a required !", "gem/g required !", "gem/t excluded !"]
    );
}

#[tokio::test]
async fn a_single_file_is_a_target_and_an_unknown_one_is_refused() {
    let site =
        Site::new(&[("go.mod", "module m\ngo 1.21\nrequire a.b/c v1.0.0\n"), ("notes.txt", "hello")]).await;
    assert_eq!(site.sbom("go.mod").await.components(), ["golang/a.b/c@v1.0.0 required"]);
    let (kind, field) = site.refusal("generate_sbom", json!({"target": "notes.txt"})).await;
    assert_eq!((kind, field.as_deref()), (kernel::ErrorKind::ValidationFailed, Some("target")));
}
