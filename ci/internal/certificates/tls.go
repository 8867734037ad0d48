package certificates

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/command"
)

// Files are the three files of a certificate.
type Files struct {
	// Certificate, Key and Authority are paths: of the certificate, of its key, and of the
	// certificate of the authority whose certificates are trusted.
	Certificate, Key, Authority string
}

// Of returns the files of the named component or client in the lab's folder dir.
func Of(dir, name string) Files {
	folder := filepath.Join(dir, Folder, name)
	return Files{filepath.Join(folder, certificateFile), filepath.Join(folder, keyFile), filepath.Join(folder, authorityFile)}
}

// Config returns the settings of both ends of a connection: a server with them serves only
// clients that have a certificate of the authority, and a client presents its own and
// accepts only servers that have one. The certificate is read anew for each connection, so
// that a renewed one is used at once; the authority is read now. A certificate that has ended
// is an error.
func (f Files) Config() (*tls.Config, error) {
	authority, err := os.ReadFile(f.Authority)
	if err != nil {
		return nil, fmt.Errorf("reading the lab's authority: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(authority) {
		return nil, fmt.Errorf("%s has no certificate", f.Authority)
	}
	load := func() (*tls.Certificate, error) {
		pair, err := tls.LoadX509KeyPair(f.Certificate, f.Key)
		return &pair, err
	}
	own, err := load()
	if err != nil {
		return nil, fmt.Errorf("reading the lab's certificate: %w", err)
	}
	if end := own.Leaf.NotAfter; time.Now().After(end) {
		return nil, fmt.Errorf("%s has ended, on %s: `%s certificates --renew` renews it", f.Certificate, end.UTC().Format(time.DateTime), command.Name())
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS12, RootCAs: pool, ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert,
		GetCertificate:       func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return load() },
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return load() },
	}, nil
}
