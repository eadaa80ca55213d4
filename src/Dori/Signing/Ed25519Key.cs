using System.Security.Cryptography;
using Org.BouncyCastle.Crypto;
using Org.BouncyCastle.Crypto.Parameters;
using Org.BouncyCastle.Crypto.Signers;
using Org.BouncyCastle.OpenSsl;
using Org.BouncyCastle.X509;

namespace Dori.Signing;

/// <summary>
/// An Ed25519 key (RFC 8032) from a PEM file as OpenSSL writes it: <c>openssl genpkey -algorithm ed25519 -out key.pem</c>, and
/// <c>openssl pkey -in key.pem -pubout -out key.pub</c> for the half that others get.
/// </summary>
internal sealed class Ed25519Key
{
    private readonly Ed25519PrivateKeyParameters? _private;
    private readonly Ed25519PublicKeyParameters _public;

    private Ed25519Key(Ed25519PrivateKeyParameters? secret, Ed25519PublicKeyParameters open) => (_private, _public) = (secret, open);

    /// <summary>SHA-256 of the public key's DER, in lower-case hex.</summary>
    public string Id => Sha256Text.Of(Der);

    /// <summary>The half that others get, as PEM.</summary>
    public string PublicPem => PemEncoding.WriteString("PUBLIC KEY", Der) + "\n";

    private byte[] Der => SubjectPublicKeyInfoFactory.CreateSubjectPublicKeyInfo(_public).GetDerEncoded();

    /// <param name="path">A private key, or a public one, which can only verify.</param>
    /// <exception cref="DoriException">No key, one of another kind, or one that is encrypted.</exception>
    public static Ed25519Key Read(string path)
    {
        string text = InputFile.ReadText(path, InputKind.Key);
        return Parse(path, text);
    }

    /// <inheritdoc cref="Read"/>
    public static Ed25519Key Parse(string path, string text)
    {
        if (text.Contains("ENCRYPTED", StringComparison.Ordinal))
            throw new DoriException($"{path}: the key is encrypted; `openssl pkey -in {path} -out plain.pem` takes its password away");
        object? read;
        try
        {
            using var reader = new PemReader(new StringReader(text));
            read = reader.ReadObject();
        }
        catch (Exception e) when (e is IOException or InvalidOperationException or ArgumentException or CryptoException or FormatException
            or InvalidCastException)
        {
            throw new DoriException($"{path}: no key can be read there ({e.Message.Split('\n')[0]}); {Wanted}", e);
        }
        return read switch
        {
            Ed25519PrivateKeyParameters secret => new Ed25519Key(secret, secret.GeneratePublicKey()),
            Ed25519PublicKeyParameters open => new Ed25519Key(null, open),
            null => throw new DoriException($"{path}: holds no key; {Wanted}"),
            _ => throw new DoriException($"{path}: a key of another kind; {Wanted}"),
        };
    }

    /// <returns>64 bytes</returns>
    /// <exception cref="DoriException">The key is a public one.</exception>
    public byte[] Sign(byte[] message)
    {
        if (_private is null) throw new DoriException("a public key cannot sign; give the private one");
        var signer = new Ed25519Signer();
        signer.Init(forSigning: true, _private);
        signer.BlockUpdate(message, 0, message.Length);
        return signer.GenerateSignature();
    }

    public bool Verifies(byte[] message, byte[] signature)
    {
        var verifier = new Ed25519Signer();
        verifier.Init(forSigning: false, _public);
        verifier.BlockUpdate(message, 0, message.Length);
        return verifier.VerifySignature(signature);
    }

    private const string Wanted = "an Ed25519 key in PEM is wanted: openssl genpkey -algorithm ed25519 -out key.pem";
}
