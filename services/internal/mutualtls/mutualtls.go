// Package mutualtls gives a service its identity: the certificate with which it serves and
// calls others, and the authority whose certificates it accepts from both.
//
// Certificates are renewed while the service runs, by a command or by Kubernetes, which
// replaces the files of a mounted Secret. So the files are read for each handshake: a new
// connection has the new certificate, and those that are open go on. While the two files
// do not belong together, as in the midst of a replacement, the last pair that did is used.
// The authority is read once.
package mutualtls

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"sync"
)

// Files are the paths of PEM files.
type Files struct {
	// Certificate and Key are the service's own.
	Certificate, Key string
	// Authority is the certificate of the authority, or several.
	Authority string
}

// Identity is a certificate that follows its files. A nil Identity is that of a service
// without TLS.
type Identity struct {
	files     Files
	authority *x509.CertPool

	mu        sync.Mutex
	cert, key []byte // as they were in the files when pair was made of them
	pair      *tls.Certificate
}

// FromEnvironment reads TLS_CERT_FILE, TLS_KEY_FILE and TLS_CA_FILE. Without any of them
// there is no identity: nil. The error names the variables that are missing.
func FromEnvironment(getenv func(string) string) (*Identity, error) {
	f := Files{Certificate: getenv("TLS_CERT_FILE"), Key: getenv("TLS_KEY_FILE"), Authority: getenv("TLS_CA_FILE")}
	switch {
	case f == Files{}:
		return nil, nil
	case f.Certificate == "" || f.Key == "" || f.Authority == "":
		return nil, errors.New("TLS_CERT_FILE, TLS_KEY_FILE and TLS_CA_FILE: want all three, or none")
	}
	id, err := Open(f)
	if err != nil {
		return nil, fmt.Errorf("TLS_CERT_FILE, TLS_KEY_FILE, TLS_CA_FILE: %w", err)
	}
	return id, nil
}

// Open reads the files, and returns an error if they are not there or not right.
func Open(f Files) (*Identity, error) {
	raw, err := os.ReadFile(f.Authority)
	if err != nil {
		return nil, err
	}
	id := &Identity{files: f, authority: x509.NewCertPool()}
	if !id.authority.AppendCertsFromPEM(raw) {
		return nil, fmt.Errorf("%s has no certificate", f.Authority)
	}
	_, err = id.current()
	return id, err
}

// current returns the certificate that the files have now, or the last one that they had.
func (id *Identity) current() (*tls.Certificate, error) {
	id.mu.Lock()
	defer id.mu.Unlock()
	cert, certErr := os.ReadFile(id.files.Certificate)
	key, keyErr := os.ReadFile(id.files.Key)
	err := errors.Join(certErr, keyErr)
	if err == nil && id.pair != nil && bytes.Equal(cert, id.cert) && bytes.Equal(key, id.key) {
		return id.pair, nil
	}
	if err == nil {
		var pair tls.Certificate
		if pair, err = tls.X509KeyPair(cert, key); err == nil {
			id.pair, id.cert, id.key = &pair, cert, key
			return id.pair, nil
		}
	}
	if id.pair != nil {
		return id.pair, nil
	}
	return nil, err
}

// Server returns the settings of a listener that serves only clients with a certificate of
// the authority; nil without an identity. It speaks HTTP/1.1: the limits of the services'
// server are those of that protocol.
func (id *Identity) Server() *tls.Config {
	if id == nil {
		return nil
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS13, NextProtos: []string{"http/1.1"},
		ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: id.authority,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return id.current() },
	}
}

// Client returns the settings of a client that presents the certificate, and accepts only
// servers with one of the authority; nil without an identity.
func (id *Identity) Client() *tls.Config {
	if id == nil {
		return nil
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS12, RootCAs: id.authority,
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return id.current() },
	}
}
