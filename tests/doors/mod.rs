//! A wiki on disk with a page that one user may see and another may not, for tests of what is told to whom. This file
//! must not know who asks. Invariant: every word that stands on the hidden page alone begins with `SECRET`.

#![allow(clippy::unwrap_used)] // A test that cannot set itself up has failed.
#![allow(dead_code)] // Each user of this file needs a part of it.

use std::path::Path;

/// How words of the hidden page begin.
pub const SECRET: &str = "zanzi";
/// The page.
pub const HIDDEN: &str = "6";
/// Who may see it, and who may not.
pub const ANN: &str = "ann";
pub const BOB: &str = "bob";

/// Settings with which both may look, and the groups that they name.
pub const SETTINGS: &str = "embedding = \"none\"\nprincipals = \"groups.json\"\n";
pub const GROUPS: &str = "{\"users\": [\"ann\", \"bob\"]}";

/// Writes the wiki, as an export, with the settings and groups beside it.
pub fn write(folder: &Path) {
    std::fs::create_dir_all(folder.join("wiki")).unwrap();
    std::fs::write(folder.join("highwater.toml"), SETTINGS).unwrap();
    std::fs::write(folder.join("groups.json"), GROUPS).unwrap();
    std::fs::write(folder.join("wiki/entities.xml"), export()).unwrap();
}

fn export() -> String {
    let pages = [
        page(5, "ledger-service", "The ledger-service is owned by Team Blue. It depends on `broker`."),
        page(6, "zanzibook", "The ledger-service is owned by Team Zanzibar. It depends on `zanzivault`."),
        page(7, "broker", "The broker is owned by Team Green."),
    ];
    let everyone = "<object class=\"SpacePermission\"><id name=\"id\">70</id>\
                    <property name=\"type\">VIEWSPACE</property><property name=\"group\"/>\
                    <property name=\"space\"><id name=\"id\">1</id></property></object>";
    let hidden = format!(
        "<object class=\"ContentPermissionSet\"><id name=\"id\">50</id><property name=\"type\">View</property>\
         <collection name=\"contentPermissions\"/>\
         <property name=\"owningContent\" class=\"Page\"><id name=\"id\">{HIDDEN}</id></property></object>\
         <object class=\"ContentPermission\"><id name=\"id\">60</id>\
         <property name=\"userSubject\"><id name=\"key\">{ANN}</id></property>\
         <property name=\"owningSet\"><id name=\"id\">50</id></property></object>"
    );
    format!(
        "<hibernate-generic><object class=\"Space\" package=\"com.atlassian.confluence.spaces\"><id name=\"id\">1</id>\
         <property name=\"key\">OPS</property></object>{}{everyone}{hidden}</hibernate-generic>",
        pages.concat()
    )
}

fn page(id: u32, title: &str, text: &str) -> String {
    let body = id + 100;
    format!(
        "<object class=\"Page\"><id name=\"id\">{id}</id><property name=\"title\">{title}</property>\
         <property name=\"version\">1</property><property name=\"contentStatus\">current</property>\
         <property name=\"space\" class=\"Space\"><id name=\"id\">1</id></property></object>\
         <object class=\"BodyContent\"><id name=\"id\">{body}</id><property name=\"bodyType\">2</property>\
         <property name=\"body\"><![CDATA[<p>{text}</p>]]></property>\
         <property name=\"content\" class=\"Page\"><id name=\"id\">{id}</id></property></object>"
    )
}
