package vcs

import "github.com/grafana/alloy/syntax/alloytypes"

// GitAuthConfig has the settings that import.git takes, so that a configuration with them
// gets as far as the message that says what this Alloy lacks.
type GitAuthConfig struct {
	BasicAuth *BasicAuth `alloy:"basic_auth,block,optional"`
	SSHKey    *SSHKey    `alloy:"ssh_key,block,optional"`
}

// BasicAuth is a name and a password.
type BasicAuth struct {
	Username string            `alloy:"username,attr"`
	Password alloytypes.Secret `alloy:"password,attr"`
}

// SSHKey is a name and a key.
type SSHKey struct {
	Username   string            `alloy:"username,attr"`
	Key        alloytypes.Secret `alloy:"key,attr,optional"`
	Keyfile    string            `alloy:"key_file,attr,optional"`
	Passphrase alloytypes.Secret `alloy:"passphrase,attr,optional"`
}
