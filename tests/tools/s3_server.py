"""A private S3 server (tests/infra/s3.sh) with one bucket, and what lies in it."""

import os
import subprocess

import boto3
import botocore.config

S3_SH = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "infra", "s3.sh")


class S3:
    """A private S3 server with one bucket. `env` is what a lab takes; boto3 looks at what was stored."""

    def __init__(self, place):
        self.place = place
        said = subprocess.run([S3_SH, "up", place], check=True, text=True, stdout=subprocess.PIPE).stdout
        self.env = dict(line.split("=", 1) for line in said.splitlines() if "=" in line)
        self.env["S3_BUCKET"] = "backups"
        # boto3 does not resolve names below localhost by itself.
        endpoint = self.env["S3_ENDPOINT"].replace("s3.localhost", "127.0.0.1")
        self.client = boto3.client("s3", endpoint_url=endpoint, region_name=self.env["S3_REGION"],
                                   aws_access_key_id=self.env["S3_ACCESS_KEY"], aws_secret_access_key=self.env["S3_SECRET_KEY"],
                                   config=botocore.config.Config(s3={"addressing_style": "path"}))
        self.client.create_bucket(Bucket="backups")

    def __call__(self, *words):
        subprocess.run([S3_SH, words[0], self.place, *words[1:]], check=True)

    def read(self, key):
        return self.client.get_object(Bucket="backups", Key=key)["Body"].read()

    def keys(self):
        return [one["Key"] for one in self.client.list_objects_v2(Bucket="backups").get("Contents", [])]

    def unfinished(self):
        return self.client.list_multipart_uploads(Bucket="backups").get("Uploads", [])
