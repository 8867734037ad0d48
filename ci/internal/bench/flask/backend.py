"""The users API as the original lab had it: Flask and SQLite, here without telemetry."""

import os
import sqlite3

from flask import Flask, jsonify, request

DATABASE = os.environ["DATABASE_PATH"]
app = Flask(__name__)


def connect():
    connection = sqlite3.connect(DATABASE)
    connection.row_factory = sqlite3.Row
    return connection


def create_table():
    with connect() as connection:
        connection.execute(
            "CREATE TABLE IF NOT EXISTS users (id INTEGER PRIMARY KEY AUTOINCREMENT,"
            " name TEXT NOT NULL, email TEXT NOT NULL UNIQUE, created_at TEXT DEFAULT CURRENT_TIMESTAMP)"
        )
        for name in ("Alice Johnson", "Bob Smith", "Carol Williams"):
            email = name.split()[0].lower() + "@example.com"
            connection.execute("INSERT OR IGNORE INTO users (name, email) VALUES (?, ?)", (name, email))


create_table()


@app.get("/users")
def list_users():
    connection = connect()
    users = connection.execute("SELECT * FROM users ORDER BY id").fetchall()
    connection.close()
    return jsonify([dict(user) for user in users])


@app.get("/users/<int:user_id>")
def get_user(user_id):
    connection = connect()
    user = connection.execute("SELECT * FROM users WHERE id = ?", (user_id,)).fetchone()
    connection.close()
    if user is None:
        return jsonify({"error": "User not found"}), 404
    return jsonify(dict(user))


@app.post("/users")
def create_user():
    wanted = request.get_json()
    with connect() as connection:
        made = connection.execute(
            "INSERT INTO users (name, email) VALUES (?, ?)", (wanted["name"], wanted["email"])
        )
    return jsonify({"id": made.lastrowid, "name": wanted["name"], "email": wanted["email"]}), 201


@app.get("/health")
def health():
    return jsonify({"status": "healthy"})
