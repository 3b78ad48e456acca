"""The Odoo data that tests and labs use, and the comparison that judges a restore."""

import os
import shutil

import odoo_compare
import odoo_data
import pytest
from postgres import Postgres


@pytest.fixture
def made(folder):
    pg = Postgres(str(folder / "pg")).start()
    odoo_data.Made("compared").load(pg, "source", str(folder / "source"))
    pg.psql("postgres", "CREATE DATABASE copy TEMPLATE source")
    shutil.copytree(folder / "source", folder / "copy")
    yield pg, folder
    pg.forget()


def compare(pg, folder):
    return odoo_compare.compare(pg, "source", "copy", str(folder / "source"), str(folder / "copy"))


def test_an_exact_copy_is_equal(made):
    result = compare(*made)
    assert result.equal, result.wrong
    assert any("SHA-1 of 150 of 150" in text for text in result.good)


@pytest.mark.parametrize("harm, word", [
    ("DELETE FROM mail_message WHERE id = 7", "mail_message"),
    ("UPDATE res_partner SET city = 'elsewhere' WHERE id = 3", "res_partner (contents)"),
    ("DROP INDEX res_partner_complete_name_trgm", "indexes"),
    ("ALTER TABLE res_users DROP CONSTRAINT res_users_login_key", "constraints"),
    ("DROP VIEW partner_messages", "views"),
    ("SELECT setval('ir_sequence_001', 9000)", "sequences"),
    ("UPDATE ir_attachment SET store_fname = NULL WHERE id = 5", "attachments"),
])
def test_what_a_restore_lost_is_named(made, harm, word):
    pg, folder = made
    pg.psql("copy", harm)
    result = compare(pg, folder)
    assert any(word in text for text in result.wrong), (result.wrong, result.good)


def test_a_changed_and_a_missing_file_are_named(made):
    pg, folder = made
    first, second = sorted({row[0] for row in odoo_compare.attachments(pg, "copy").values()})[:2]
    with open(folder / "copy" / first, "r+b") as file:
        file.write(b"\x00\x01\x02")
    os.remove(folder / "copy" / second)
    wrong = " ".join(compare(pg, folder).wrong)
    assert first in wrong and second in wrong
