using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Dori.Signing;

/// <summary>DSSE v1: a payload with its type, signed together (github.com/secure-systems-lab/dsse).</summary>
/// <param name="Payload">In Base64.</param>
internal sealed record Envelope(string PayloadType, string Payload, IReadOnlyList<EnvelopeSignature> Signatures)
{
    /// <summary>Of an in-toto statement.</summary>
    public const string StatementType = "application/vnd.in-toto+json";

    public static Envelope Of(byte[] payload, Ed25519Key key) => new(StatementType, Convert.ToBase64String(payload),
        [new EnvelopeSignature(key.Id, Convert.ToBase64String(key.Sign(PreAuthentication(StatementType, payload))))]);

    /// <returns>The payload, whose signature holds.</returns>
    /// <exception cref="DoriException">Another key's, or something was changed.</exception>
    public byte[] Open(string path, Ed25519Key key)
    {
        if (PayloadType != StatementType)
            throw new DoriException($"{path}: its payload is {PayloadType}; {StatementType} is wanted");
        byte[] payload = Bytes(path, Payload);
        byte[] message = PreAuthentication(PayloadType, payload);
        if (Signatures.Any(signature => key.Verifies(message, Bytes(path, signature.Sig)))) return payload;
        throw new DoriException(Signatures.Any(signature => signature.Keyid == key.Id)
            ? $"{path}: the signature does not hold: it or what it signs was changed"
            : $"{path}: not signed by this key ({key.Id}), but by "
                + $"{string.Join(", ", Signatures.Select(signature => signature.Keyid))}");
    }

    /// <summary>What is signed: PAE(type, payload).</summary>
    public static byte[] PreAuthentication(string type, byte[] payload) =>
        [.. Encoding.UTF8.GetBytes($"DSSEv1 {Encoding.UTF8.GetByteCount(type)} {type} {payload.Length} "), .. payload];

    private static byte[] Bytes(string path, string base64)
    {
        try { return Convert.FromBase64String(base64); }
        catch (FormatException e) { throw new DoriException($"{path}: not Base64: {e.Message}", e); }
    }
}

/// <param name="Keyid">SHA-256 of the public key's DER.</param>
/// <param name="Sig">In Base64.</param>
internal sealed record EnvelopeSignature(string Keyid, string Sig);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, WriteIndented = true, NewLine = "\n",
    RespectNullableAnnotations = true, RespectRequiredConstructorParameters = true)]
[JsonSerializable(typeof(Envelope))]
[JsonSerializable(typeof(Statement))]
internal sealed partial class SigningJson : JsonSerializerContext;
