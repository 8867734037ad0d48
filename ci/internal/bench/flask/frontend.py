"""The frontend as the original lab had it: Flask, and requests to the backend. No telemetry."""

import os

import requests
from flask import Flask, jsonify, request

BACKEND = os.environ["BACKEND_URL"]
app = Flask(__name__)


@app.get("/api/users")
def list_users():
    answer = requests.get(f"{BACKEND}/users", timeout=5)
    return jsonify(answer.json()), answer.status_code


@app.get("/api/users/<int:user_id>")
def get_user(user_id):
    answer = requests.get(f"{BACKEND}/users/{user_id}", timeout=5)
    return jsonify(answer.json()), answer.status_code


@app.post("/api/users")
def create_user():
    answer = requests.post(f"{BACKEND}/users", json=request.get_json(), timeout=5)
    return jsonify(answer.json()), answer.status_code


@app.get("/health")
def health():
    return jsonify({"status": "healthy"})
