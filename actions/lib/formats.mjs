// Files that tools read a service token from. What a tool asks for itself is left to the client.

/** The formats by name: the file's name, and its text for a token and the name of a variable. */
export const FORMATS = {
  raw: { file: "token", render: ({ access_token }) => `${access_token}\n` },
  shell: {
    file: "token.sh",
    render: (token, name) => variables(token, name).map((each) => `export ${each}\n`).join(""),
  },
  env: {
    file: "token.env",
    render: (token, name) => variables(token, name).map((each) => `${each}\n`).join(""),
  },
  dotenv: {
    file: ".env",
    render: (token, name) => variables(token, name).map((each) => `${each}\n`).join(""),
  },
  json: {
    file: "token.json",
    render: (token) => {
      const { access_token, issued_token_type = "", token_type, expires_in, expires_at } = token;
      const { scope = "", service_account = "", token_id = "" } = token;
      const told = { scope, service_account, token_id };
      return `${JSON.stringify({ access_token, issued_token_type, token_type, expires_in, expires_at, ...told })}\n`;
    },
  },
  header: { file: "header", render: ({ access_token }) => `Authorization: Bearer ${access_token}\n` },
  "curl-config": {
    file: "curl.conf",
    render: ({ access_token }) => `header = "Authorization: Bearer ${access_token}"\n`,
  },
  "exec-credential": {
    file: "exec-credential.json",
    render: ({ access_token, expires_at }) => {
      const status = { token: access_token, expirationTimestamp: expires_at };
      const credential = { apiVersion: "client.authentication.k8s.io/v1", kind: "ExecCredential", status };
      return `${JSON.stringify(credential)}\n`;
    },
  },
  // AWS SDKs send the file as it is: no line feed at its end.
  "aws-web-identity-file": { file: "web-identity-token", render: ({ access_token }) => access_token },
  "terraform-http-backend": {
    file: "terraform-http-backend.sh",
    render: ({ access_token }) =>
      `export TF_HTTP_USERNAME='oauth2'\nexport TF_HTTP_PASSWORD='${access_token}'\n`,
  },
};

// Names and values hold nothing that a quote would end: BEARER_TOKEN, RFC 3339, [A-Z_][A-Z0-9_]*.
function variables({ access_token, expires_at }, name) {
  return [`${name}='${access_token}'`, `${name}_EXPIRES_AT='${expires_at}'`];
}
