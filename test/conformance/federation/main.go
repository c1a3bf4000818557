// A foreign end of federation: go-spiffe's client fetches from our bundle endpoint, its handler serves ours.
//
//	federation fetch https_web    URL TRUST_DOMAIN CA_FILE
//	federation fetch https_spiffe URL TRUST_DOMAIN BUNDLE_FILE ENDPOINT_ID
//	federation probe URL          says whether the endpoint asks for a client certificate
//	federation serve https_web|https_spiffe TRUST_DOMAIN
//
// A server prints one line of JSON and then takes the words publish, activate and revoke, one a line: the phases of a
// rotation of its authority.
package main

import (
	"bufio"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"os"
	"sync"
	"time"

	"github.com/spiffe/go-spiffe/v2/bundle/spiffebundle"
	"github.com/spiffe/go-spiffe/v2/federation"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"github.com/spiffe/go-spiffe/v2/spiffetls/tlsconfig"
	"github.com/spiffe/go-spiffe/v2/svid/x509svid"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string) error {
	switch {
	case len(args) >= 5 && args[0] == "fetch":
		return fetch(args[1], args[2], args[3], args[4:])
	case len(args) == 2 && args[0] == "probe":
		return probe(args[1])
	case len(args) == 3 && args[0] == "serve":
		return serve(args[1], args[2])
	}
	return errors.New("what is to be done?")
}

func say(value any) error {
	return json.NewEncoder(os.Stdout).Encode(value)
}

func fetch(profile, address, domain string, rest []string) error {
	trustDomain, err := spiffeid.TrustDomainFromString(domain)
	if err != nil {
		return err
	}
	option, err := authentication(profile, trustDomain, rest)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	bundle, err := federation.FetchBundle(ctx, trustDomain, address, option)
	if err != nil {
		return err
	}
	sequence, _ := bundle.SequenceNumber()
	hint, _ := bundle.RefreshHint()
	keys := []string{}
	for id := range bundle.JWTAuthorities() {
		keys = append(keys, id)
	}
	return say(map[string]any{
		"sequence":    fmt.Sprint(sequence),
		"hintSeconds": hint.Seconds(),
		"x509":        len(bundle.X509Authorities()),
		"jwt":         keys,
	})
}

func authentication(profile string, trustDomain spiffeid.TrustDomain, rest []string) (federation.FetchOption, error) {
	if profile == "https_web" {
		pem, err := os.ReadFile(rest[0])
		if err != nil {
			return nil, err
		}
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM(pem)
		return federation.WithWebPKIRoots(roots), nil
	}
	held, err := spiffebundle.Load(trustDomain, rest[0])
	if err != nil {
		return nil, err
	}
	endpoint, err := spiffeid.FromString(rest[1])
	if err != nil {
		return nil, err
	}
	return federation.WithSPIFFEAuth(held, endpoint), nil
}

// probe shakes hands without checking anybody: only the question for a certificate is of interest.
func probe(address string) error {
	target, err := url.Parse(address)
	if err != nil {
		return err
	}
	asked := false
	connection, err := tls.Dial("tcp", target.Host, &tls.Config{
		InsecureSkipVerify: true,
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			asked = true
			return &tls.Certificate{}, nil
		},
	})
	if err != nil {
		return err
	}
	defer connection.Close()
	return say(map[string]bool{"asked": asked})
}

type authority struct {
	certificate *x509.Certificate
	key         crypto.Signer
}

func newAuthority(trustDomain spiffeid.TrustDomain, number int64) (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(number),
		Subject:               pkix.Name{CommonName: fmt.Sprint("authority ", number)},
		NotBefore:             time.Now().Add(-time.Minute),
		NotAfter:              time.Now().Add(time.Hour),
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		URIs:                  []*url.URL{trustDomain.ID().URL()},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	certificate, err := x509.ParseCertificate(der)
	return &authority{certificate, key}, err
}

func (a *authority) issue(id spiffeid.ID) (*x509.Certificate, crypto.Signer, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()),
		NotBefore:    time.Now().Add(-time.Minute),
		NotAfter:     time.Now().Add(time.Hour),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		DNSNames:     []string{"localhost"},
	}
	if !id.IsZero() {
		template.URIs = []*url.URL{id.URL()}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, key.Public(), a.key)
	if err != nil {
		return nil, nil, err
	}
	certificate, err := x509.ParseCertificate(der)
	return certificate, key, err
}

// endpoint is a trust domain with the bundle endpoint of go-spiffe.
type endpoint struct {
	lock        sync.Mutex
	id          spiffeid.ID
	bundle      *spiffebundle.Bundle
	authorities []*authority
	svid        *x509svid.SVID
}

func newEndpoint(domain string) (*endpoint, error) {
	id, err := spiffeid.FromString("spiffe://" + domain + "/bundle-endpoint")
	if err != nil {
		return nil, err
	}
	e := &endpoint{id: id, bundle: spiffebundle.New(id.TrustDomain())}
	e.bundle.SetRefreshHint(time.Minute)
	if err := e.publish(); err != nil {
		return nil, err
	}
	return e, e.activate()
}

func (e *endpoint) GetX509SVID() (*x509svid.SVID, error) {
	e.lock.Lock()
	defer e.lock.Unlock()
	return e.svid, nil
}

func (e *endpoint) publish() error {
	next, err := newAuthority(e.id.TrustDomain(), int64(len(e.authorities)+1))
	if err != nil {
		return err
	}
	e.authorities = append(e.authorities, next)
	e.bundle.AddX509Authority(next.certificate)
	if err := e.bundle.AddJWTAuthority(fmt.Sprint("jwt-", len(e.authorities)), next.key.Public()); err != nil {
		return err
	}
	return e.grow()
}

func (e *endpoint) activate() error {
	certificate, key, err := e.authorities[len(e.authorities)-1].issue(e.id)
	if err != nil {
		return err
	}
	e.lock.Lock()
	defer e.lock.Unlock()
	e.svid = &x509svid.SVID{ID: e.id, Certificates: []*x509.Certificate{certificate}, PrivateKey: key}
	return nil
}

func (e *endpoint) revoke() error {
	for number, old := range e.authorities[:len(e.authorities)-1] {
		e.bundle.RemoveX509Authority(old.certificate)
		e.bundle.RemoveJWTAuthority(fmt.Sprint("jwt-", number+1))
	}
	return e.grow()
}

func (e *endpoint) grow() error {
	sequence, _ := e.bundle.SequenceNumber()
	e.bundle.SetSequenceNumber(sequence + 1)
	return nil
}

func serve(profile, domain string) error {
	e, err := newEndpoint(domain)
	if err != nil {
		return err
	}
	handler, err := federation.NewHandler(e.id.TrustDomain(), e.bundle)
	if err != nil {
		return err
	}
	config := tlsconfig.TLSServerConfig(e)
	web, err := newAuthority(spiffeid.RequireTrustDomainFromString("web.test"), 1)
	if err != nil {
		return err
	}
	if profile == "https_web" {
		certificate, key, err := web.issue(spiffeid.ID{})
		if err != nil {
			return err
		}
		pair := tls.Certificate{Certificate: [][]byte{certificate.Raw}, PrivateKey: key}
		config = &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}}
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 5 * time.Second}
	go server.Serve(tls.NewListener(listener, config))
	document, err := e.bundle.Marshal()
	if err != nil {
		return err
	}
	err = say(map[string]any{
		"url":        fmt.Sprintf("https://localhost:%d/", listener.Addr().(*net.TCPAddr).Port),
		"endpointId": e.id.String(),
		"bundle":     string(document),
		"webCa":      string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: web.certificate.Raw})),
	})
	if err != nil {
		return err
	}
	steps := map[string]func() error{"publish": e.publish, "activate": e.activate, "revoke": e.revoke}
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		step, known := steps[lines.Text()]
		if !known {
			return fmt.Errorf("there is no step %q", lines.Text())
		}
		if err := step(); err != nil {
			return err
		}
		if err := say(map[string]string{"done": lines.Text()}); err != nil {
			return err
		}
	}
	return nil
}
