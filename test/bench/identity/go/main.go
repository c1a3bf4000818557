// Does with Go's own crypto/x509, on one core, what Picket's CA and verifier do: the foreign side of `npm run bench -- identity`.
// Every Go program of this kind (SPIRE, step-ca, go-spiffe) stands on these calls.
package main

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"flag"
	"math/big"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"time"
)

func main() {
	mode := flag.String("mode", "", "issue or verify")
	dir := flag.String("dir", ".", "folder with ca.pem, ca.key, csr.der, leaf.der")
	seconds := flag.Float64("seconds", 2, "how long")
	flag.Parse()
	runtime.GOMAXPROCS(1)

	ca := must(x509.ParseCertificate(pemFile(*dir, "ca.pem")))
	var once func()
	switch *mode {
	case "issue":
		key := must(x509.ParsePKCS8PrivateKey(pemFile(*dir, "ca.key"))).(crypto.Signer)
		csr := file(*dir, "csr.der")
		once = func() { issue(csr, ca, key) }
	case "verify":
		leaf := file(*dir, "leaf.der")
		roots := x509.NewCertPool()
		roots.AddCert(ca)
		once = func() { verify(leaf, roots) }
	default:
		panic("mode: issue or verify")
	}

	for range 100 {
		once()
	}
	count := 0
	from := cpuSeconds()
	for end := time.Now().Add(time.Duration(*seconds * float64(time.Second))); time.Now().Before(end); count++ {
		once()
	}
	check(json.NewEncoder(os.Stdout).Encode(map[string]any{"count": count, "cpuSeconds": cpuSeconds() - from}))
}

// CSR with its proof of possession → certificate → read back and checked against its issuer.
func issue(der []byte, ca *x509.Certificate, key crypto.Signer) {
	csr := must(x509.ParseCertificateRequest(der))
	check(csr.CheckSignature())
	serial := must(rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127)))
	template := &x509.Certificate{
		SerialNumber:          serial,
		NotBefore:             time.Now().Add(-30 * time.Second),
		NotAfter:              time.Now().Add(time.Hour),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		BasicConstraintsValid: true,
		URIs:                  csr.URIs,
	}
	made := must(x509.ParseCertificate(must(x509.CreateCertificate(rand.Reader, template, ca, csr.PublicKey, key))))
	check(made.CheckSignatureFrom(ca))
}

func verify(der []byte, roots *x509.CertPool) {
	leaf := must(x509.ParseCertificate(der))
	_, err := leaf.Verify(x509.VerifyOptions{Roots: roots, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
	check(err)
}

func cpuSeconds() float64 {
	var usage syscall.Rusage
	check(syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	seconds := func(t syscall.Timeval) float64 { return float64(t.Sec) + float64(t.Usec)/1e6 }
	return seconds(usage.Utime) + seconds(usage.Stime)
}

func file(dir, name string) []byte {
	return must(os.ReadFile(filepath.Join(dir, name)))
}

func pemFile(dir, name string) []byte {
	block, _ := pem.Decode(file(dir, name))
	return block.Bytes
}

func must[T any](value T, err error) T {
	check(err)
	return value
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
