namespace Dori.Diffusion;

/// <summary>
/// Latents that have gone through a UNet on the calling thread, forwards and, for gradients, backwards: what work costs on any machine.
/// </summary>
internal readonly record struct UNetPasses(long Forward, long Backward)
{
    [ThreadStatic] private static long t_forward, t_backward;

    /// <summary>Since the thread began.</summary>
    public static UNetPasses OfThread => new(t_forward, t_backward);

    public static void CountForward(long latents) => t_forward += latents;

    public static void CountBackward(long latents) => t_backward += latents;

    public static UNetPasses operator -(UNetPasses later, UNetPasses earlier) =>
        new(later.Forward - earlier.Forward, later.Backward - earlier.Backward);
}
