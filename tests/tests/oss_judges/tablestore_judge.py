"""Runs one scenario through tablestore, the vendor's Python SDK, which checks the signature of every answer: `tablestore_judge.py v2|v4 SCENARIO`."""

import os
import sys

import tablestore
from tablestore import (
    CapacityUnit, ComparatorType, CompositeColumnCondition, Condition, LogicalOperator, ReservedThroughput,
    ReturnType, Row, RowExistenceExpectation as Expect, SingleColumnCondition, TableMeta, TableOptions,
)

TABLE = os.environ["TABLE"]
KEY = [("LockID", "tfbkt/env:/terraform.tfstate")]


def client(access_key=None, secret_key=None, token=None):
    more = {"region": os.environ["REGION"]} if sys.argv[1] == "v4" else {}
    return tablestore.OTSClient(
        os.environ["ENDPOINT"], access_key or os.environ["ACCESS_KEY"], secret_key or os.environ["SECRET_KEY"],
        "tf-lock", sts_token=token, retry_policy=tablestore.NoRetryPolicy(), **more)


def refused(call, status, code):
    try:
        call()
    except tablestore.OTSServiceError as error:
        assert (error.get_http_status(), error.get_error_code()) == (status, code), error
        assert error.get_request_id(), error
        return error
    raise AssertionError(f"{code} was expected")


def info(text):
    return SingleColumnCondition("Info", text, ComparatorType.EQUAL, pass_if_missing=False)


def read(c, columns=None):
    _, row, _ = c.get_row(TABLE, KEY, columns)
    if row is None:
        return None
    assert row.primary_key == KEY, row.primary_key
    return {name: value for name, value, _ in row.attribute_columns}


def rows_are_put_read_updated_and_deleted():
    c = client()
    assert read(c) is None
    values = {"Info": "{}", "n": 7, "f": 1.5, "b": True, "raw": bytearray(b"\x00\xff"), "text": "ü"}
    consumed, _ = c.put_row(TABLE, Row(KEY, list(values.items())), Condition(Expect.IGNORE))
    assert (consumed.read, consumed.write) == (0, 1)
    assert read(c) == values
    assert read(c, ["n", "f"]) == {"n": 7, "f": 1.5}
    assert read(c, ["LockID", "Info"]) == {"Info": "{}"}
    assert read(c, ["LockID", "missing"]) == {}
    assert read(c, ["missing"]) is None
    changes = {"PUT": [("Info", "new")], "DELETE_ALL": ["f", "b"], "INCREMENT": [("n", 3)]}
    c.update_row(TABLE, Row(KEY, changes), Condition(Expect.EXPECT_EXIST))
    assert read(c) == {"Info": "new", "n": 10, "raw": bytearray(b"\x00\xff"), "text": "ü"}
    c.put_row(TABLE, Row(KEY, [("Digest", "d")]), Condition(Expect.IGNORE))
    assert read(c) == {"Digest": "d"}
    c.delete_row(TABLE, Row(KEY), Condition(Expect.IGNORE))
    assert read(c) is None
    c.delete_row(TABLE, Row(KEY), Condition(Expect.IGNORE))


def expectations_of_a_row_are_kept():
    c = client()
    row, failed = Row(KEY, [("Info", "a")]), (403, "OTSConditionCheckFail")
    refused(lambda: c.put_row(TABLE, row, Condition(Expect.EXPECT_EXIST)), *failed)
    refused(lambda: c.delete_row(TABLE, Row(KEY), Condition(Expect.EXPECT_EXIST)), *failed)
    c.put_row(TABLE, row, Condition(Expect.EXPECT_NOT_EXIST))
    other = Row(KEY, [("Info", "b")])
    error = refused(lambda: c.put_row(TABLE, other, Condition(Expect.EXPECT_NOT_EXIST)), *failed)
    assert error.get_error_message() == "Condition check failed.", error
    assert read(c) == {"Info": "a"}
    c.put_row(TABLE, other, Condition(Expect.EXPECT_EXIST))
    c.delete_row(TABLE, Row(KEY), Condition(Expect.EXPECT_EXIST))
    c.put_row(TABLE, row, Condition(Expect.EXPECT_NOT_EXIST))


def conditions_on_columns_are_kept():
    c = client()
    failed = (403, "OTSConditionCheckFail")
    c.put_row(TABLE, Row(KEY, [("Info", "mine"), ("n", 5)]), Condition(Expect.EXPECT_NOT_EXIST))
    refused(lambda: c.delete_row(TABLE, Row(KEY), Condition(Expect.EXPECT_EXIST, info("other"))), *failed)
    more = SingleColumnCondition("n", 5, ComparatorType.GREATER_THAN)
    enough = SingleColumnCondition("n", 5, ComparatorType.GREATER_EQUAL)
    absent = SingleColumnCondition("absent", "x", ComparatorType.EQUAL)
    update = Row(KEY, {"PUT": [("n", 5)]})
    refused(lambda: c.update_row(TABLE, update, Condition(Expect.IGNORE, more)), *failed)
    c.update_row(TABLE, update, Condition(Expect.IGNORE, enough))
    c.update_row(TABLE, update, Condition(Expect.IGNORE, absent))
    both = CompositeColumnCondition(LogicalOperator.AND)
    both.add_sub_condition(info("mine"))
    both.add_sub_condition(enough)
    either, neither = CompositeColumnCondition(LogicalOperator.OR), CompositeColumnCondition(LogicalOperator.NOT)
    either.add_sub_condition(info("other"))
    either.add_sub_condition(both)
    neither.add_sub_condition(either)
    refused(lambda: c.update_row(TABLE, update, Condition(Expect.IGNORE, neither)), *failed)
    assert c.get_row(TABLE, KEY, column_filter=info("other"))[1] is None
    assert c.get_row(TABLE, KEY, column_filter=either)[1] is not None
    c.delete_row(TABLE, Row(KEY), Condition(Expect.EXPECT_EXIST, both))
    assert read(c) is None


def a_key_is_returned_on_request():
    c = client()
    _, row = c.put_row(TABLE, Row(KEY, [("Info", "a")]), Condition(Expect.IGNORE), ReturnType.RT_PK)
    assert row.primary_key == KEY, row
    _, row = c.delete_row(TABLE, Row(KEY), Condition(Expect.IGNORE))
    assert row is None, row


def tables_are_made_described_listed_and_dropped():
    c = client()
    throughput = ReservedThroughput(CapacityUnit(0, 0))
    meta = TableMeta("other", [("who", "STRING"), ("n", "INTEGER")])
    c.create_table(meta, TableOptions(), throughput)
    refused(lambda: c.create_table(meta, TableOptions(), throughput), 409, "OTSObjectAlreadyExist")
    assert set(c.list_table()) == {"other", TABLE}
    described = c.describe_table("other")
    assert described.table_meta.schema_of_primary_key == [("who", "STRING"), ("n", "INTEGER")]
    assert described.table_options.max_version == 1 and described.table_options.time_to_live == -1
    key = [("who", "a"), ("n", 1)]
    c.put_row("other", Row(key, [("x", 1)]), Condition(Expect.EXPECT_NOT_EXIST))
    assert c.get_row("other", [("who", "a"), ("n", 2)])[1] is None
    assert c.get_row("other", key)[1].primary_key == key
    c.delete_table("other")
    refused(lambda: c.describe_table("other"), 404, "OTSObjectNotExist")
    c.create_table(meta, TableOptions(), throughput)
    assert c.get_row("other", key)[1] is None
    refused(lambda: c.create_table(TableMeta("1x", [("k", "STRING")]), TableOptions(), throughput), 400, "OTSParameterInvalid")


def what_does_not_fit_the_table_is_refused():
    c = client()
    ignore = Condition(Expect.IGNORE)
    refused(lambda: c.put_row("missing", Row(KEY, []), ignore), 404, "OTSObjectNotExist")
    refused(lambda: c.put_row(TABLE, Row([("Other", "x")], [("Info", "a")]), ignore), 400, "OTSInvalidPK")
    refused(lambda: c.put_row(TABLE, Row([("LockID", 1)], [("Info", "a")]), ignore), 400, "OTSInvalidPK")
    refused(lambda: c.put_row(TABLE, Row(KEY, [("LockID", "a")]), ignore), 400, "OTSParameterInvalid")
    refused(lambda: c.get_row(TABLE, KEY, start_column="a"), 400, "OTSUnsupportOperation")


def only_who_signs_with_the_right_keys_is_let_in():
    refused(lambda: client(secret_key="wrong").list_table(), 403, "OTSAuthFailed")
    refused(lambda: client(access_key="nobody").list_table(), 403, "OTSAuthFailed")
    temporary = (os.environ["STS_ACCESS_KEY"], os.environ["STS_SECRET_KEY"])
    assert TABLE in client(*temporary, os.environ["STS_TOKEN"]).list_table()
    refused(lambda: client(*temporary, "other").list_table(), 403, "OTSAuthFailed")
    refused(lambda: client(*temporary).list_table(), 403, "OTSAuthFailed")


globals()[sys.argv[2]]()
