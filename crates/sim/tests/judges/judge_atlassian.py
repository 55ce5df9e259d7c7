"""atlassian-python-api against the fake: reads a small wiki through it, and writes to it. FAKE is the address, DEPLOYMENT
says which product answers. Ends with a traceback where an answer is not what the wiki holds."""

import os

from atlassian import Confluence

url, on_cloud = os.environ["FAKE"], os.environ["DEPLOYMENT"] == "cloud"
if on_cloud:
    wiki = Confluence(url=url + "/wiki", username="admin@example.com", password="admin-token", cloud=True)
else:
    wiki = Confluence(url=url, token="admin-token", cloud=False)

spaces = wiki.get_all_spaces(limit=10)["results"]
assert [space["key"] for space in spaces] == ["OPS"], spaces
assert wiki.get_space("OPS", expand="description.plain,homepage")["name"] == "Operations"
assert wiki.page_exists("OPS", "Glossary")
assert wiki.get_page_id("OPS", "Glossary") == "1003"
pages = list(wiki.get_all_pages_from_space("OPS", expand="body.storage,version,ancestors"))
assert {page["id"] for page in pages} == {"1000", "1001", "1002", "1003"}, pages
page = wiki.get_page_by_id("1002", expand="body.storage,ancestors,version,space,history.lastUpdated")
assert [above["id"] for above in page["ancestors"]] == ["1000", "1001"]
assert "ac:task-list" in page["body"]["storage"]["value"]
assert page["space"]["key"] == "OPS" and page["version"]["number"] == 1
assert {child["id"] for child in wiki.get_page_child_by_type("1001", type="page")} == {"1002", "1003"}
assert [label["name"] for label in wiki.get_page_labels("1001")["results"]] == ["runbook"]
comments = wiki.get_page_comments("1001", expand="body.storage,extensions.inlineProperties", depth="all")["results"]
assert {comment["id"] for comment in comments} == {"1100", "1101", "1102"}, comments
files = wiki.get_attachments_from_content("1001")["results"]
assert [file["title"] for file in files] == ["notes.txt"]
found = wiki.cql('type = page and label = "runbook"', expand="content.version")["results"]
assert [row["content"]["id"] for row in found] == ["1001"]
assert wiki.get_all_restrictions_for_content("1001")["read"]["restrictions"]["user"]["results"] == []
assert wiki.history("1001")["createdBy"]["displayName"] == "Ada Admin"
members = wiki.get_group_members("staff")
assert len(members) == 2, members

made = wiki.create_page("OPS", "Made here", "<p>One.</p>", parent_id="1001")
wiki.update_page(made["id"], "Made here", "<p>Two.</p>", version_comment="more")
again = wiki.get_page_by_id(made["id"], expand="body.storage,version,ancestors")
assert again["body"]["storage"]["value"] == "<p>Two.</p>" and again["version"]["number"] == 2, again
assert again["ancestors"][-1]["id"] == "1001"
wiki.set_page_label(made["id"], "fresh")
assert [label["name"] for label in wiki.get_page_labels(made["id"])["results"]] == ["fresh"]
wiki.attach_content(b"bytes of a client", name="made.txt", content_type="text/plain", page_id=made["id"])
assert wiki.get_attachments_from_content(made["id"])["results"][0]["title"] == "made.txt"
wiki.set_page_property(made["id"], {"key": "k", "value": {"a": 1}})
assert wiki.get_page_property(made["id"], "k")["value"] == {"a": 1}
wiki.remove_page(made["id"])
assert not wiki.page_exists("OPS", "Made here")
print("atlassian-python-api: all as the wiki holds it")
