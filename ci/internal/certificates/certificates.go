// Package certificates makes the certificates of a closed lab: one authority, and a
// certificate for each component and for each kind of client, all signed by it.
//
// In a closed lab every connection is mutual TLS. A component has one certificate, with
// which it serves and with which it calls others; it trusts the lab's authority alone.
// The folder "certificates" of the lab's folder has
//
//	ca.crt, ca.key        the authority
//	NAME/tls.crt          the certificate of a component or client
//	NAME/tls.key          its key
//	NAME/ca.crt           the authority's certificate
//
// so that each NAME is as a Secret of type kubernetes.io/tls is when it is mounted, also
// one of cert-manager's.
//
// A renewal keeps the key, and replaces tls.crt in one step. So a program that reads the
// two files while they change never finds a certificate beside a key that does not belong
// to it. Whoever wants new keys, because one may be known, deletes the folder: that makes
// a new authority, too, which no certificate of the old one passes.
//
// The authority may sign only the names that it was made for ("name constraints", RFC 5280,
// 4.2.1.10). A person who lets a browser trust it trusts it for these and for no other site.
package certificates

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
)

// Folder is the folder of the certificates in the lab's folder.
const Folder = "certificates"

// The clients that are no components.
const (
	// Client is the certificate of the lab's commands, and of people.
	Client = "client"
	// Application is the certificate of applications that send telemetry.
	Application = "application"
)

// The names of the files, as Kubernetes has them in a Secret of type kubernetes.io/tls.
const (
	certificateFile = "tls.crt"
	keyFile         = "tls.key"
	authorityFile   = "ca.crt"
	authorityKey    = "ca.key"
)

// Bounds of how long a certificate is valid.
const (
	// Usual is as long as cert-manager's certificates are valid by default.
	Usual = 90 * 24 * time.Hour
	// Least is short enough to watch a renewal.
	Least = time.Minute
	// Most is the longest that Apple's systems accept of a server:
	// https://support.apple.com/HT210176.
	Most = 825 * 24 * time.Hour
)

// authorityValid is how long an authority is valid.
const authorityValid = 10 * 365 * 24 * time.Hour

// Renewal says which certificates are issued anew although they are in order.
type Renewal int

// The renewals.
const (
	None Renewal = iota // none
	Due                 // those with less than a third of their time left
	All                 // all
)

// Options say what [Make] makes.
type Options struct {
	// Names are further DNS names and IP addresses of the components that serve, such as
	// those by which other machines reach this one. Those of an earlier call stay.
	Names []string
	// Valid is how long a new certificate is valid, 0 for [Usual]; it ends with the authority
	// at the latest.
	Valid time.Duration
	// Renew says which certificates are issued anew.
	Renew Renewal
}

// Certificate is what a person wants to know of one.
type Certificate struct {
	// Name is the component's or client's, and the name of its folder.
	Name string `json:"name"`
	// Serial is its serial number, in hexadecimal.
	Serial string `json:"serial"`
	// Names are the DNS names and IP addresses that it is for; a client has none.
	Names []string `json:"names"`
	// NotBefore and NotAfter are when it is valid.
	NotBefore time.Time `json:"not_before"`
	NotAfter  time.Time `json:"not_after"`
	// Issued says that this call has made it.
	Issued bool `json:"issued"`
}

// isDue tells whether less than a third of its time is left, which is when cert-manager
// renews.
func (c Certificate) isDue(now time.Time) bool {
	return c.NotAfter.Sub(now) < c.NotAfter.Sub(c.NotBefore)/3
}

// Set is an authority and its certificates.
type Set struct {
	// Path is the folder that has them.
	Path string `json:"folder"`
	// Authority is the authority's own certificate.
	Authority Certificate `json:"authority"`
	// Certificates are the others, by name.
	Certificates []Certificate `json:"certificates"`
}

// A subject is who gets a certificate.
type subject struct {
	name string
	// serves says that it has listeners, and so names.
	serves bool
}

// subjects are all who get a certificate.
func subjects() []subject {
	var all []subject
	for _, name := range append(target.All(), target.Inspector) {
		all = append(all, subject{name, true})
	}
	all = append(all, subject{Client, false}, subject{Application, false})
	slices.SortFunc(all, func(a, b subject) int { return strings.Compare(a.name, b.name) })
	return all
}

// ownNames are the names that a component has on this machine and in a cluster.
func (s subject) ownNames() []string {
	if !s.serves {
		return nil
	}
	inCluster := s.name + "." + target.NamespaceObservability
	if s.name == target.Frontend || s.name == target.Backend {
		inCluster = s.name + "." + target.NamespaceApp
	}
	return []string{s.name, "localhost", inCluster, inCluster + ".svc", inCluster + ".svc.cluster.local", "127.0.0.1", "::1"}
}

// An OptionError says that no certificate can be as the options want it.
type OptionError string

func (e OptionError) Error() string { return string(e) }

// check refuses what no certificate can have.
func (o Options) check() error {
	if o.Valid < 0 {
		return OptionError(fmt.Sprintf("a certificate cannot be valid for %v", o.Valid))
	}
	for _, name := range o.Names {
		if net.ParseIP(name) == nil && !isHostname(name) {
			return OptionError(fmt.Sprintf("%q is neither a DNS name, such as lab.example.com, nor an IP address", name))
		}
	}
	return nil
}

// isHostname tells whether the name is one of a host (RFC 1123, 2.1).
func isHostname(name string) bool {
	if len(name) > 253 {
		return false
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > 63 || strings.HasPrefix(label, "-") || strings.HasSuffix(label, "-") {
			return false
		}
		for _, c := range label {
			if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' {
				return false
			}
		}
	}
	return true
}
