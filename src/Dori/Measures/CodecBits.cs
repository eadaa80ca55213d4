using System.Buffers.Binary;
using System.Text;
using Dori.Pictures;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Measures;

/// <param name="Codec">"WebP 24 x 24 at quality 10".</param>
/// <param name="Similarity">Of what it decodes to.</param>
internal sealed record CodedPicture(double Bits, string Codec, double Similarity);

/// <summary>
/// The fewest bits with which an ordinary codec brings a picture to a copy detector's threshold: what a find's information is held against.
/// Coded data alone count: neither the container nor tables that a decoder could have fixed.
/// </summary>
internal static class CodecBits
{
    private static readonly double[] s_sizes = [1, 0.75, 0.5, 0.375, 0.25, 0.1875, 0.125];
    private static readonly int[] s_qualities = [0, 2, 5, 10, 20, 35, 50, 70, 85, 95];

    /// <param name="picture">(3, S, S) in [0, 1]</param>
    /// <returns>Null where no size and quality reaches the threshold.</returns>
    public static CodedPicture? Fewest(Tensor picture, ICopyDetector detector, double threshold)
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        int side = (int)picture.shape[1];
        Tensor own = detector.Describe(picture.unsqueeze(0));
        CodedPicture? best = null;
        foreach (double size in s_sizes)
            foreach (int quality in s_qualities)
                foreach (bool webp in new[] { true, false })
                {
                    using var inner = NewDisposeScope();
                    int edge = Math.Max(1, (int)Math.Round(side * size));
                    Tensor small = edge == side ? picture : Picture.ResizeSmallEdge(picture, edge);
                    byte[] file = webp ? Picture.EncodeWebp(small, quality) : Picture.EncodeJpeg(small, Math.Max(1, quality));
                    double bits = 8.0 * (webp ? WebpData(file) : JpegScan(file));
                    if (bits >= best?.Bits) continue;
                    Tensor decoded = Picture.Decode(file, "a coded picture");
                    if (edge != side) decoded = Picture.Resize(decoded, side, side);
                    double similarity = Similarity.Matrix(detector.Describe(decoded.unsqueeze(0)), own).item<float>();
                    if (similarity > threshold)
                        best = new CodedPicture(bits, $"{(webp ? "WebP" : "JPEG")} {edge} x {edge} at quality {quality}", similarity);
                }
        return best;
    }

    /// <summary>Bytes of a JPEG's scans, between their headers and the next marker.</summary>
    internal static int JpegScan(ReadOnlySpan<byte> file)
    {
        int at = 2, bytes = 0;
        while (at + 4 <= file.Length && file[at + 1] != 0xD9) // end of image
        {
            bool scan = file[at + 1] == 0xDA;
            at += 2 + BinaryPrimitives.ReadUInt16BigEndian(file[(at + 2)..]);
            if (!scan) continue;
            int begin = at;
            while (at + 1 < file.Length && !(file[at] == 0xFF && file[at + 1] is not 0 and not (>= 0xD0 and <= 0xD7))) at++;
            bytes += at - begin;
        }
        return bytes;
    }

    /// <summary>Bytes of a lossy WebP's frame behind its 10 bytes of header (RFC 6386, section 9.1).</summary>
    internal static int WebpData(ReadOnlySpan<byte> file)
    {
        const int riff = 12, chunk = 8, frame = 10;
        for (int at = riff; at + chunk <= file.Length;)
        {
            int length = BinaryPrimitives.ReadInt32LittleEndian(file[(at + 4)..]);
            if (Encoding.ASCII.GetString(file.Slice(at, 4)) == "VP8 ") return length - frame;
            at += chunk + length + (length & 1);
        }
        return file.Length;
    }
}
