package certificates

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"time"
)

// pair is a certificate with its key. The key may be nil.
type pair struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// authority is who signs.
type authority struct {
	pair
	isNew bool
}

// authority reads the authority, or makes one that may sign all the names. The key may be
// away: somebody keeps it elsewhere. Then nothing new can be signed.
func (s *store) authority(names []string, now time.Time) (*authority, error) {
	cert, err := readCertificate(s.root, authorityFile)
	if errors.Is(err, fs.ErrNotExist) {
		return s.newAuthority(names, now)
	}
	if err != nil {
		return nil, err
	}
	a := &authority{pair: pair{cert: cert}}
	if now.After(cert.NotAfter) {
		return nil, fmt.Errorf("the authority has ended, on %s: delete %s, for a new one and new certificates", cert.NotAfter.Format(time.DateOnly), s.path)
	}
	a.key, err = readKey(s.root, authorityKey)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return a, nil
	case err != nil:
		return nil, err
	case !a.key.PublicKey.Equal(cert.PublicKey):
		return nil, fmt.Errorf("%s does not belong to %s in %s: put the right one back, or delete the folder", authorityKey, authorityFile, s.path)
	}
	return a, nil
}

func (s *store) newAuthority(names []string, now time.Time) (*authority, error) {
	names = append([]string{}, names...)
	for _, sub := range subjects() {
		names = append(names, sub.ownNames()...)
	}
	dns, addresses := split(unique(names))
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		Subject:   pkix.Name{CommonName: "lgtm-lab authority " + rand.Text()[:8]}, // two of them in a browser's list are told apart
		NotBefore: now.Add(-skew), NotAfter: now.Add(authorityValid),
		IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		PermittedDNSDomainsCritical: true, PermittedDNSDomains: dns, PermittedIPRanges: addresses,
	}
	cert, err := sign(template, template, key, key)
	if err != nil {
		return nil, err
	}
	a := &authority{pair{cert, key}, true}
	secret, err := encodeKey(key)
	if err != nil {
		return nil, err
	}
	// The certificate last: with it, the authority is there.
	if err := s.replace(authorityKey, secret, 0o600); err != nil {
		return nil, err
	}
	return a, s.replace(authorityFile, encodeCertificate(cert), 0o644)
}

// skew is how much a clock of another machine may be late.
const skew = 5 * time.Minute

// issue signs a certificate for the subject, with the key that it has, if any.
func (a *authority) issue(sub subject, names []string, have *pair, valid time.Duration, now time.Time) (*pair, error) {
	if a.key == nil {
		return nil, fmt.Errorf("it has to be issued, and the authority's key, %s, is not there", authorityKey)
	}
	p := &pair{}
	if have != nil {
		p.key = have.key
	} else {
		var err error
		if p.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
			return nil, err
		}
	}
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: sub.name}, KeyUsage: x509.KeyUsageDigitalSignature,
		// A certificate of some minutes must not be old when it is new.
		NotBefore: now.Add(-min(skew, valid/10)), NotAfter: now.Add(valid),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, BasicConstraintsValid: true,
	}
	if template.NotAfter.After(a.cert.NotAfter) {
		template.NotAfter = a.cert.NotAfter
	}
	for _, name := range names {
		if ip := net.ParseIP(name); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, name)
		}
	}
	if sub.serves {
		template.ExtKeyUsage = append(template.ExtKeyUsage, x509.ExtKeyUsageServerAuth)
	}
	var err error
	if p.cert, err = sign(template, a.cert, p.key, a.key); err != nil {
		return nil, err
	}
	if err := a.verify(p.cert, now); err != nil {
		if reason, ok := errors.AsType[x509.CertificateInvalidError](err); ok && reason.Reason == x509.CANotAuthorizedForThisName {
			return nil, fmt.Errorf("the authority was made for other names (%s). Delete the folder of the certificates, for an authority that may sign these, too", reason.Detail)
		}
		return nil, err
	}
	return p, nil
}

// sign returns the certificate that the template describes, of the key, signed by the
// parent's key.
func sign(template, parent *x509.Certificate, key, by *ecdsa.PrivateKey) (*x509.Certificate, error) {
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, by) // which chooses the serial number
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

// verify fails unless the certificate is one of the authority's, and valid now.
func (a *authority) verify(cert *x509.Certificate, now time.Time) error {
	roots := x509.NewCertPool()
	roots.AddCert(a.cert)
	_, err := cert.Verify(x509.VerifyOptions{Roots: roots, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	return err
}

// describe says what a person wants to know.
func (p *pair) describe(name string) Certificate {
	return Certificate{
		Name: name, Serial: fmt.Sprintf("%x", p.cert.SerialNumber), Names: unique(namesOf(p.cert)),
		NotBefore: p.cert.NotBefore.UTC(), NotAfter: p.cert.NotAfter.UTC(),
	}
}

// namesOf are the DNS names and IP addresses of a certificate.
func namesOf(cert *x509.Certificate) []string {
	names := append([]string{}, cert.DNSNames...)
	for _, ip := range cert.IPAddresses {
		names = append(names, ip.String())
	}
	return names
}

// split tells DNS names from IP addresses, of which each is a range of one.
func split(names []string) (dns []string, addresses []*net.IPNet) {
	for _, name := range names {
		ip := net.ParseIP(name)
		if ip == nil {
			dns = append(dns, name)
			continue
		}
		if four := ip.To4(); four != nil {
			ip = four
		}
		addresses = append(addresses, &net.IPNet{IP: ip, Mask: net.CIDRMask(len(ip)*8, len(ip)*8)})
	}
	return dns, addresses
}

func encodeCertificate(cert *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw})
}

func encodeKey(key *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), err
}

func readCertificate(root *os.Root, name string) (*x509.Certificate, error) {
	der, err := readPEM(root, name, "CERTIFICATE")
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return cert, nil
}

func readKey(root *os.Root, name string) (*ecdsa.PrivateKey, error) {
	der, err := readPEM(root, name, "PRIVATE KEY")
	if err != nil {
		return nil, err
	}
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	p256, ok := key.(*ecdsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("%s is a %T; the lab's keys are of ECDSA", name, key)
	}
	return p256, nil
}

// readPEM returns the content of the one block of a file.
func readPEM(root *os.Root, name, kind string) ([]byte, error) {
	raw, err := root.ReadFile(name)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(raw)
	if block == nil || block.Type != kind {
		return nil, fmt.Errorf("%s has no %s", name, kind)
	}
	return block.Bytes, nil
}
