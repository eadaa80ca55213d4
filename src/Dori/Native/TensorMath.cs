using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Native;

/// <summary>
/// Arithmetic that keeps its scalars alive. TorchSharp turns numbers into <see cref="Scalar"/> objects with finalizers, even the hidden
/// factor 1 of <c>a + b</c>, and does not hold on to them during the native call: a garbage collection at that moment frees a number that
/// is still to be read. Measured, it is about one call in a hundred thousand per collection; the outcome is an exception or, worse, a wrong
/// number. So the operators that do this are banned in the library (BannedSymbols.txt), and these take their place. What TorchSharp does
/// without a scalar is safe and stays: <c>a - b</c>, <c>a * b</c>, <c>a / b</c> of two tensors, <c>-a</c>.
/// </summary>
internal static class TensorMath
{
    private const int RingSize = 32; // no call takes more than 3
    [ThreadStatic] private static Scalar[]? t_ring;
    [ThreadStatic] private static int t_next;
    private static readonly Scalar s_one = 1L.ToScalar();

    /// <summary>A scalar that stays alive for this thread's next 32 requests.</summary>
    public static Scalar Kept(double value) => Keep(value.ToScalar());

    /// <summary>A scalar that stays alive for this thread's next 32 requests.</summary>
    public static Scalar Kept(long value) => Keep(value.ToScalar());

    private static Scalar Keep(Scalar scalar)
    {
        Scalar[] ring = t_ring ??= new Scalar[RingSize];
        t_next = (t_next + 1) % RingSize;
        return ring[t_next] = scalar;
    }

    public static Tensor Plus(this Tensor a, Tensor b) => a.add(b, s_one);
    /// <summary>a + factor b</summary>
    public static Tensor Plus(this Tensor a, Tensor b, double factor) => a.add(b, Kept(factor));
    public static Tensor Plus(this Tensor a, double b) => a.add(Kept(b), s_one);
    public static Tensor Minus(this Tensor a, double b) => a.sub(Kept(b));
    /// <summary>b - a</summary>
    public static Tensor SubtractedFrom(this Tensor a, double b) => a.negative().add(Kept(b), s_one);
    public static Tensor Times(this Tensor a, double b) => a.mul(Kept(b));
    public static Tensor Over(this Tensor a, double b) => a.div(Kept(b));
    public static Tensor Squared(this Tensor a) => a.mul(a);

    /// <summary>a += factor b, in place</summary>
    public static Tensor Add_(this Tensor a, Tensor b, double factor = 1) => a.add_(b, Kept(factor));
    public static Tensor Add_(this Tensor a, double b) => a.add_(Kept(b), s_one);
    public static Tensor Times_(this Tensor a, double b) => a.mul_(Kept(b));
    public static Tensor Over_(this Tensor a, double b) => a.div_(Kept(b));
    /// <summary>a += factor b c, in place, element by element</summary>
    public static Tensor AddProduct_(this Tensor a, Tensor b, Tensor c, double factor) => a.addcmul_(b, c, Kept(factor));
    /// <summary>a += factor b / c, in place, element by element</summary>
    public static Tensor AddQuotient_(this Tensor a, Tensor b, Tensor c, double factor) => a.addcdiv_(b, c, Kept(factor));
    public static Tensor Clamp(this Tensor a, double low, double high) => a.clamp(Kept(low), Kept(high));
    /// <summary>Both halves along a dimension of even size, as views. <c>chunk</c> gives the same, but not on every device.</summary>
    public static (Tensor First, Tensor Second) Halves(this Tensor a, int dim)
    {
        long half = a.shape[dim < 0 ? a.shape.Length + dim : dim] / 2;
        return (a.narrow(dim, 0, half), a.narrow(dim, half, half));
    }
    public static Tensor AtLeast(this Tensor a, double low) => a.clamp_min(Kept(low));
    /// <summary>0, 1, ..., count - 1</summary>
    public static Tensor Range(long count, ScalarType type = ScalarType.Float32) => arange(Kept(0L), Kept(count), Kept(1L), type);
}
